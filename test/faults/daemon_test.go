package faults

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/registryhub/registryhub/hack/cluster/assets"
	"github.com/registryhub/registryhub/test/faults/origin"
)

// daemon is a real containerd with its own folders, and the ctr that belongs to it. It has no CRI and unpacks nothing,
// so it needs no privileges of note.
type daemon struct {
	ctr, socket, content string
	// turns bounds how many programs run at once.
	turns *semaphore.Weighted
}

// daemonTurns is how many ctr run at once for one daemon.
const daemonTurns = 24

const daemonConfiguration = `version = %d
root = %q
state = %q
disabled_plugins = [
  "io.containerd.grpc.v1.cri", "io.containerd.cri.v1.images", "io.containerd.cri.v1.runtime", "io.containerd.internal.v1.opt",
  "io.containerd.nri.v1.nri", "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper",
  "io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.overlayfs", "io.containerd.snapshotter.v1.blockfile", "io.containerd.internal.v1.restart",
]
[grpc]
  address = %q
`

// startDaemon runs a containerd of a release, 1.6 or 2.4, until the test ends.
func startDaemon(t *testing.T, release string) *daemon {
	t.Helper()
	store, err := assets.Find(t.Logf)
	must(t, err)
	programs, err := store.Containerd(t.Context(), release)
	must(t, err)
	folder := t.TempDir()
	d := &daemon{
		ctr: filepath.Join(programs, "ctr"), socket: filepath.Join(folder, "s"),
		content: filepath.Join(folder, "root", "io.containerd.content.v1.content"), turns: semaphore.NewWeighted(daemonTurns),
	}
	version := map[string]int{"1.6": 2, "2.4": 3}[release]
	file := filepath.Join(folder, "config.toml")
	text := fmt.Sprintf(daemonConfiguration, version, filepath.Join(folder, "root"), filepath.Join(folder, "state"), d.socket)
	must(t, os.WriteFile(file, []byte(text), 0o600))
	log, err := os.Create(filepath.Join(folder, "log"))
	must(t, err)
	cmd := exec.Command(filepath.Join(programs, "containerd"), "--config", file)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	must(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait() // it was told to end
		_ = log.Close()
	})
	d.await(t, log.Name())
	return d
}

func (d *daemon) await(t *testing.T, log string) {
	t.Helper()
	deadline, again := time.After(patience), time.NewTicker(50*time.Millisecond)
	defer again.Stop()
	for d.run(t.Context(), "version") != nil {
		select {
		case <-again.C:
		case <-deadline:
			text, _ := os.ReadFile(log)
			t.Fatalf("containerd does not answer after %s:\n%s", patience, text)
		}
	}
}

func (d *daemon) run(ctx context.Context, args ...string) error {
	cmd := exec.CommandContext(ctx, d.ctr, append([]string{"--address", d.socket}, args...)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("ctr %q: %w: %s", args, err, out)
	}
	return nil
}

func (d *daemon) pull(ctx context.Context, certs, host string, image *origin.Image) error {
	if err := d.turns.Acquire(ctx, 1); err != nil {
		return err
	}
	defer d.turns.Release(1)
	if err := d.run(ctx, "content", "fetch", "--hosts-dir", certs, host+"/"+image.Repository+":"+image.Tag); err != nil {
		return err
	}
	return holds(d.content, image)
}
