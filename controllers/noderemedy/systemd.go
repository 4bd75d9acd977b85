package noderemedy

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

const (
	// booted is there where systemd is the init (sd_booted(3)).
	booted = "/run/systemd/system"
	// unit is that of containerd's own packages, and of all distributions that keep its files where those do.
	unit = "containerd.service"
	// restartWithin is more than the time that systemd gives a unit to stop, and to start.
	restartWithin = 4 * time.Minute
)

// Systemd restarts containerd's unit.
type Systemd struct{}

// FindSystemd finds the unit that runs a containerd. An error says why there is none that can be restarted.
func FindSystemd(ctx context.Context, p Program) (Systemd, error) {
	if _, err := os.Stat(booted); err != nil {
		return Systemd{}, errors.New("the node has no systemd that could restart containerd: restart it by hand")
	}
	out, err := systemctl(ctx, "show", "--property=MainPID", "--value", unit)
	if err != nil {
		return Systemd{}, fmt.Errorf("%w: restart containerd by hand", err)
	}
	if out != strconv.Itoa(p.PID) {
		return Systemd{}, fmt.Errorf("containerd does not run as the unit %s of systemd: restart it by hand", unit)
	}
	return Systemd{}, nil
}

// Restart restarts the unit. It ends when containerd has said that it is up, or has failed.
func (Systemd) Restart(ctx context.Context) error {
	// A unit that has failed too often in a row is not started again until that is forgotten, which an undo may need. Where
	// that fails, the restart tells.
	_, _ = systemctl(ctx, "reset-failed", unit)
	_, err := systemctl(ctx, "restart", unit)
	return err
}

func systemctl(ctx context.Context, arguments ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, restartWithin)
	defer cancel()
	cmd := exec.CommandContext(ctx, "systemctl", arguments...)
	// The root is the node's, and yet not that of its init by the letter.
	cmd.Env = append(os.Environ(), "SYSTEMD_IGNORE_CHROOT=1", "LC_ALL=C")
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("running systemctl %s: %w: %s", strings.Join(arguments, " "), err, ending(out))
	}
	return strings.TrimSpace(string(out)), nil
}
