package sandbox

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// isolateMounts keeps the sandbox's mounts from the machine's, and shows the sandbox's own processes
// in /proc. Mounts that the machine makes later still arrive.
func isolateMounts() error {
	if err := syscall.Mount("none", "/", "", syscall.MS_REC|syscall.MS_SLAVE, ""); err != nil {
		return fmt.Errorf("separating the mounts from the machine's: %w", err)
	}
	if err := syscall.Mount("proc", "/proc", "proc", 0, ""); err != nil {
		return fmt.Errorf("mounting /proc: %w", err)
	}
	return nil
}

func (m Mount) make() error {
	if err := m.makeTarget(); err != nil {
		return err
	}
	switch m.Kind {
	case Tmpfs:
		return syscall.Mount("tmpfs", m.Target, "tmpfs", 0, "mode=0755")
	case Overlay:
		options := fmt.Sprintf("lowerdir=%s,upperdir=%s,workdir=%s", m.Target, m.Source, m.Work)
		return syscall.Mount("overlay", m.Target, "overlay", 0, options)
	case Bind:
		return syscall.Mount(m.Source, m.Target, "", syscall.MS_BIND|syscall.MS_REC, "")
	case SharedBind:
		if err := syscall.Mount(m.Source, m.Target, "", syscall.MS_BIND, ""); err != nil {
			return err
		}
		return syscall.Mount("none", m.Target, "", syscall.MS_REC|syscall.MS_SHARED, "")
	default:
		return fmt.Errorf("unknown kind of mount %q", m.Kind)
	}
}

// makeTarget creates the mount's target where it is missing, as what Source is.
func (m Mount) makeTarget() error {
	if _, err := os.Stat(m.Target); err == nil {
		return nil
	}
	if info, err := os.Stat(m.Source); err == nil && !info.IsDir() {
		if err := os.MkdirAll(filepath.Dir(m.Target), 0o755); err != nil {
			return err
		}
		return os.WriteFile(m.Target, nil, 0o644)
	}
	return os.MkdirAll(m.Target, 0o755)
}
