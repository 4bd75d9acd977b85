// Package e2e holds what RegistryHub promises against a real cluster: two nodes with a kubelet and a containerd of
// their own, a real registry upstream, and the operator of this tree. It needs root on Linux; `make test-e2e` runs
// it. REGISTRYHUB_E2E_CONTAINERD chooses the release of containerd, 2.4 or 1.6.
package e2e

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/registryhub/registryhub/hack/testbed"
	"github.com/registryhub/registryhub/hack/upstream"
	"github.com/registryhub/registryhub/test/rights"
)

// upstreamHosts are the registries that the one upstream stands for. A test has a host of its own, so that no hub
// is in another's way.
var upstreamHosts = []string{
	"pull.e2e.test", "deleted.e2e.test", "agent.e2e.test", "foreign.e2e.test", "gone.e2e.test", "reload.e2e.test", "tls.e2e.test", "private.e2e.test", "rotated.e2e.test", "proof.e2e.test", "registry.k8s.io",
	"dropped.e2e.test", "direct.e2e.test", "adopted.e2e.test", "none.e2e.test",
	"restarted.e2e.test", "rebooted.e2e.test", "several.e2e.test", "single.e2e.test", "soon.e2e.test", "remedied.e2e.test", "bucket.e2e.test",
	"ahead.e2e.test", "nodeport.e2e.test", "external.e2e.test", frontName,
	"scheme.e2e.test",
	anyOne, anyTwo, anyCorp, anyNot,
}

// suite is what all tests share.
type suite struct {
	bed      *testbed.Bed
	upstream *upstream.Registry
	images   *images
	// uninstalled is true when the kinds are gone, and every hub with them.
	uninstalled bool
}

var shared *suite

func TestMain(m *testing.M) {
	code, err := runSuite(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		code = 1
	}
	os.Exit(code)
}

func runSuite(m *testing.M) (code int, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 35*time.Minute)
	defer cancel()
	if os.Geteuid() != 0 {
		return 1, errors.New("the cluster's network namespaces and kubelets need root")
	}
	started, stop, err := start(ctx)
	defer func() { err = errors.Join(err, stop()) }()
	if err != nil {
		return 1, err
	}
	shared = started
	if code := m.Run(); code != 0 || flag.Lookup("test.run").Value.String() != "" {
		return code, nil
	}
	return 0, agentsUseTheirRights(started.bed)
}

// agentsUseTheirRights is what only all tests together can show. What the agents lack fails the tests by itself.
func agentsUseTheirRights(bed *testbed.Bed) error {
	config := filepath.Join(bed.Root(), "config", "node-agent")
	unused, err := rights.UnusedBy("system:serviceaccount:registryhub-system:registryhub-node-agent", bed.AuditLog,
		filepath.Join(config, "cluster-role.yaml"), filepath.Join(config, "role.yaml"))
	if err == nil && len(unused) > 0 {
		return fmt.Errorf("config/ gives the agents rights that nothing they did made use of:\n%s", strings.Join(unused, "\n"))
	}
	return err
}

// start brings up all that the tests share, on a cluster that nobody has used before. Stop undoes what was done,
// also after an error.
func start(ctx context.Context) (*suite, func() error, error) {
	var undo []func() error
	stop := func() error {
		var errs []error
		for i := len(undo) - 1; i >= 0; i-- {
			errs = append(errs, undo[i]())
		}
		return errors.Join(errs...)
	}
	bed, err := testbed.Fresh(ctx, containerdRelease())
	if err != nil {
		return nil, stop, err
	}
	undo = append(undo, func() error { return bed.Close(context.WithoutCancel(ctx)) })
	directory, err := os.MkdirTemp("", "registryhub-e2e-")
	if err != nil {
		return nil, stop, fmt.Errorf("making a folder for the upstream: %w", err)
	}
	undo = append(undo, func() error { return os.RemoveAll(directory) })
	registry, err := bed.StartUpstream(ctx, directory, upstreamHosts...)
	if err != nil {
		return nil, stop, err
	}
	undo = append(undo, registry.Stop)
	images, err := newImages(ctx, directory, registry.PushAddress)
	if err != nil {
		return nil, stop, err
	}
	return &suite{bed: bed, upstream: registry, images: images}, stop, install(ctx, bed)
}

func containerdRelease() string {
	if release := os.Getenv("REGISTRYHUB_E2E_CONTAINERD"); release != "" {
		return release
	}
	return "2.4"
}

func install(ctx context.Context, bed *testbed.Bed) error {
	if err := bed.InstallOperator(ctx); err != nil {
		return err
	}
	bundle, err := bed.CABundle(caBundle)
	if err != nil {
		return err
	}
	return bed.Apply(ctx, bundle)
}
