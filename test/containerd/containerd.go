// Package containerd runs real containerds for tests.
package containerd

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/registryhub/registryhub/hack/cluster/assets"
)

// patience is how long a containerd may take to answer.
const patience = 30 * time.Second

// Daemon is a containerd with its own folders, and the ctr that belongs to it. It has no CRI, and unpacks by copying, so it
// needs no privileges of note.
type Daemon struct {
	// Content is the directory of its content store.
	Content     string
	ctr, socket string
}

const configuration = `version = %d
root = %q
state = %q
disabled_plugins = [
  "io.containerd.grpc.v1.cri", "io.containerd.cri.v1.images", "io.containerd.cri.v1.runtime", "io.containerd.internal.v1.opt",
  "io.containerd.nri.v1.nri", "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper",
  "io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.overlayfs", "io.containerd.snapshotter.v1.blockfile", "io.containerd.internal.v1.restart",
]
[grpc]
  address = %q
[[plugins."io.containerd.transfer.v1.local".unpack_config]]
  platform = "linux/%s"
  snapshotter = "native"
`

// Start runs a containerd of a release, 1.6 or 2.4, until the test ends. It answers when Start returns.
func Start(tb testing.TB, release string) *Daemon {
	tb.Helper()
	store, err := assets.Find(tb.Logf)
	must(tb, err)
	programs, err := store.Containerd(tb.Context(), release)
	must(tb, err)
	folder := tb.TempDir()
	d := &Daemon{
		ctr: filepath.Join(programs, "ctr"), socket: filepath.Join(folder, "s"),
		Content: filepath.Join(folder, "root", "io.containerd.content.v1.content"),
	}
	version := map[string]int{"1.6": 2, "2.4": 3}[release]
	file := filepath.Join(folder, "config.toml")
	text := fmt.Sprintf(configuration, version, filepath.Join(folder, "root"), filepath.Join(folder, "state"), d.socket, runtime.GOARCH)
	must(tb, os.WriteFile(file, []byte(text), 0o600))
	log, err := os.Create(filepath.Join(folder, "log"))
	must(tb, err)
	cmd := exec.Command(filepath.Join(programs, "containerd"), "--config", file)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	must(tb, cmd.Start())
	tb.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait() // it was told to end
		_ = log.Close()
	})
	d.await(tb, log.Name())
	return d
}

func (d *Daemon) await(tb testing.TB, log string) {
	tb.Helper()
	deadline, again := time.After(patience), time.NewTicker(50*time.Millisecond)
	defer again.Stop()
	for d.Ctr(tb.Context(), "version") != nil {
		select {
		case <-again.C:
		case <-deadline:
			text, _ := os.ReadFile(log)
			tb.Fatalf("containerd does not answer after %s:\n%s", patience, text)
		}
	}
}

// Ctr runs ctr. The error has what it said.
func (d *Daemon) Ctr(ctx context.Context, args ...string) error {
	cmd := exec.CommandContext(ctx, d.ctr, append([]string{"--address", d.socket}, args...)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("ctr %q: %w: %s", args, err, out)
	}
	return nil
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}
