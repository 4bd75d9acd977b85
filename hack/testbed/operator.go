package testbed

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"
)

// Namespace is where the operator runs.
const Namespace = "registryhub-system"

// Image is the name under which config/default runs the operator; the image of this tree is given to every node
// under it, so that nothing is pulled.
const Image = "ghcr.io/registryhub/registryhub:v0.1.0"

// InstallOperator builds the image of this tree, gives it to every node, applies config/default and waits until
// the manager is available and every node has its agent.
func (b *Bed) InstallOperator(ctx context.Context) error {
	return b.InstallOperatorOf(ctx, b.root, Image, filepath.Join("config", "default"))
}

// InstallOperatorOf does so with another tree, which may be an earlier commit's. It is packed under the name that the
// manifests say, a folder of that tree.
func (b *Bed) InstallOperatorOf(ctx context.Context, tree, image, manifests string) error {
	if err := b.stream(ctx, "make", "--no-print-directory", "-C", tree, "image", "IMAGE="+image); err != nil {
		return err
	}
	if err := b.stream(ctx, b.tool(), "load", filepath.Join(tree, "bin", "image.tar")); err != nil {
		return err
	}
	if _, err := b.Kubectl(ctx, "apply", "-k", filepath.Join(tree, manifests)); err != nil {
		return err
	}
	return b.awaitOperator(ctx)
}

func (b *Bed) awaitOperator(ctx context.Context) error {
	if _, err := b.Kubectl(ctx, "-n", Namespace, "rollout", "status", "deployment/registryhub-manager", "--timeout=3m"); err != nil {
		return err
	}
	return b.Await(ctx, 3*time.Minute, "the node agents to run", func(ctx context.Context) (bool, error) {
		_, err := b.Kubectl(ctx, "-n", Namespace, "rollout", "status", "daemonset/registryhub-node-agent", "--timeout=30s")
		return err == nil, err
	})
}

// UninstallOperator removes what InstallOperator applied.
func (b *Bed) UninstallOperator(ctx context.Context) error {
	_, err := b.Kubectl(ctx, "delete", "-k", filepath.Join(b.root, "config", "default"), "--ignore-not-found", "--timeout=3m")
	return err
}

// Await asks a condition again and again until it holds, and says what was awaited, and the condition's last
// error, when it does not within the time.
func (b *Bed) Await(ctx context.Context, within time.Duration, what string, condition func(context.Context) (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	var last error
	for {
		done, err := condition(ctx)
		if done {
			return nil
		}
		if err != nil && ctx.Err() == nil {
			last = err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waited %s for %s: %w (last: %w)", within, what, ctx.Err(), orNone(last))
		case <-tick.C:
		}
	}
}

func orNone(err error) error {
	if err == nil {
		return errors.New("no error, it just did not hold")
	}
	return err
}
