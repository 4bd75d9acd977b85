// Package upgrade replaces the operator of an earlier commit by that of this tree, on a real cluster, while nodes pull. It
// needs root on Linux, and takes minutes: `make test-long` runs it. REGISTRYHUB_UPGRADE_FROM names the commit, by default the
// one before the last.
package upgrade

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/registryhub/registryhub/hack/testbed"
	"github.com/registryhub/registryhub/hack/upstream"
)

const (
	host       = "upgrade.e2e.test"
	hub        = "upgrade"
	repository = "team/app"
	caBundle   = "upgrade-ca"
	// tags are pulled in turn.
	tags = 4
)

var (
	bed      *testbed.Bed
	registry *upstream.Registry
)

func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "upgrade:", err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 25*time.Minute)
	defer cancel()
	if os.Geteuid() != 0 {
		return 1, errors.New("the cluster's network namespaces and kubelets need root")
	}
	if bed, err = testbed.Fresh(ctx, "2.4"); err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, bed.Close(context.WithoutCancel(ctx))) }()
	directory, err := os.MkdirTemp("", "registryhub-upgrade-")
	if err != nil {
		return 1, fmt.Errorf("making a folder for the upstream: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(directory)) }()
	if registry, err = bed.StartUpstream(ctx, filepath.Join(directory, "upstream"), host); err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, registry.Stop()) }()
	if err := push(ctx); err != nil {
		return 1, err
	}
	return m.Run(), nil
}

func push(ctx context.Context) error {
	for tag := range tags {
		const layers, size = 3, 1 << 20
		image, err := random.Image(size, layers)
		if err != nil {
			return fmt.Errorf("making an image: %w", err)
		}
		target, err := name.ParseReference(fmt.Sprintf("%s/%s:v%d", registry.PushAddress, repository, tag), name.Insecure)
		if err != nil {
			return fmt.Errorf("naming an image: %w", err)
		}
		if err := remote.Write(target, image, remote.WithContext(ctx)); err != nil {
			return fmt.Errorf("pushing an image to the upstream: %w", err)
		}
	}
	return nil
}
