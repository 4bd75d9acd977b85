package faults

import (
	"context"
	"testing"

	"golang.org/x/sync/semaphore"

	"github.com/registryhub/registryhub/test/containerd"
	"github.com/registryhub/registryhub/test/faults/origin"
)

// daemon is a real containerd.
type daemon struct {
	*containerd.Daemon
	// turns bounds how many programs run at once.
	turns *semaphore.Weighted
}

// daemonTurns is how many ctr run at once for one daemon.
const daemonTurns = 24

// startDaemon runs a containerd of a release, 1.6 or 2.4, until the test ends.
func startDaemon(t *testing.T, release string) *daemon {
	t.Helper()
	return &daemon{Daemon: containerd.Start(t, release), turns: semaphore.NewWeighted(daemonTurns)}
}

func (d *daemon) pull(ctx context.Context, certs, host string, image *origin.Image) error {
	if err := d.turns.Acquire(ctx, 1); err != nil {
		return err
	}
	defer d.turns.Release(1)
	if err := d.Ctr(ctx, "content", "fetch", "--hosts-dir", certs, host+"/"+image.Repository+":"+image.Tag); err != nil {
		return err
	}
	return holds(d.Content, image)
}
