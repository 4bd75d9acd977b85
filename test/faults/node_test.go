package faults

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/registryhub/registryhub/test/faults/origin"
)

// node is a client that pulls by a hosts.toml: through the hub, and else from the upstream itself.
type node interface {
	// pull pulls an image of a host into a store of the node's own. An error means that the pull failed; content of a
	// wrong digest is an error, too.
	pull(ctx context.Context, certs, host string, image *origin.Image) error
}

// What a node's pull came to, beside wrong.
const (
	byHub      = "hub"
	byUpstream = "upstream"
	failed     = "fails"
)

// wire writes the hosts.toml of a host.
func wire(certs, host, hub, upstream string) error {
	folder := filepath.Join(certs, host)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	text := fmt.Sprintf("server = %q\n[host.%q]\n  capabilities = [\"pull\", \"resolve\"]\n  dial_timeout = \"5s\"\n", upstream, "http://"+hub)
	return os.WriteFile(filepath.Join(folder, "hosts.toml"), []byte(text), 0o600)
}

// saw is what a node's pull came to, and its error. Direct is the upstream that nodes turn to.
func saw(ctx context.Context, n node, certs, host string, image *origin.Image, direct *origin.Server) (string, error) {
	err := n.pull(ctx, certs, host, image)
	asked := direct.Asked(image.Repository)
	switch {
	case errors.Is(err, errWrong):
		return wrong, err
	case err != nil:
		return failed, err
	case len(asked) > 0:
		return byUpstream, nil
	default:
		return byHub, nil
	}
}

// holds reports what a content store of containerd lacks of an image, or has wrong.
func holds(folder string, image *origin.Image) error {
	for d, want := range image.Content {
		got, err := os.ReadFile(filepath.Join(folder, "blobs", d.Algorithm().String(), d.Encoded()))
		if err != nil {
			return fmt.Errorf("after the pull: %w", err)
		}
		if !bytes.Equal(got, want) {
			return fmt.Errorf("after the pull: %w: %s", errWrong, d)
		}
	}
	return nil
}

var errWrong = errors.New("wrong bytes")
