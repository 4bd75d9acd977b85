package assets

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// hostPrograms maps programs that must be on the machine to the Debian packages that have them. None
// of the packages has a service.
var hostPrograms = map[string]string{
	"ip":        "iproute2",
	"iptables":  "iptables",
	"conntrack": "conntrack",
	"ethtool":   "ethtool",
	"nsenter":   "util-linux",
	"mount":     "mount",
}

// Host makes sure that the programs which the cluster uses from the machine are installed.
func (s *Store) Host(ctx context.Context) error {
	missing := missingPackages()
	if len(missing) == 0 {
		return nil
	}
	s.Step("installing %s", strings.Join(missing, ", "))
	args := append([]string{"install", "--yes", "--no-install-recommends"}, missing...)
	return s.apt(ctx, "", args...)
}

func missingPackages() []string {
	var missing []string
	for program, debian := range hostPrograms {
		if _, err := exec.LookPath(program); err != nil {
			missing = append(missing, debian)
		}
	}
	return missing
}

// apt runs apt-get, a second time after an update if it fails: package lists are missing from fresh
// machines, and old lists name packages that are gone.
func (s *Store) apt(ctx context.Context, directory string, args ...string) error {
	quiet := []string{"DEBIAN_FRONTEND=noninteractive"}
	if err := run(ctx, directory, quiet, "apt-get", args...); err == nil {
		return nil
	}
	s.Step("updating Debian's package lists")
	if err := run(ctx, directory, quiet, "apt-get", "update"); err != nil {
		return err
	}
	return run(ctx, directory, quiet, "apt-get", args...)
}

// unpack downloads a Debian package into the cache and returns the folder it is unpacked to. It is
// not installed, so its service is never registered, let alone started.
func (s *Store) unpack(ctx context.Context, debian string) (string, error) {
	target := filepath.Join(s.Cache, "debian", debian)
	if _, err := os.Stat(target); err == nil {
		return target, nil
	}
	s.Step("downloading Debian's %s", debian)
	if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
		return "", fmt.Errorf("making the cache folder: %w", err)
	}
	download, err := os.MkdirTemp(filepath.Dir(target), "download-")
	if err != nil {
		return "", fmt.Errorf("making a folder to download %s to: %w", debian, err)
	}
	return target, errors.Join(s.unpackIn(ctx, download, debian, target), os.RemoveAll(download))
}

func (s *Store) unpackIn(ctx context.Context, download, debian, target string) error {
	if err := s.apt(ctx, download, "download", debian); err != nil {
		return err
	}
	archives, err := filepath.Glob(filepath.Join(download, "*.deb"))
	if err != nil || len(archives) != 1 {
		return fmt.Errorf("apt-get download %s left %d archives, want 1", debian, len(archives))
	}
	unpacked := filepath.Join(download, "unpacked")
	if err := run(ctx, download, nil, "dpkg-deb", "--extract", archives[0], unpacked); err != nil {
		return err
	}
	return os.Rename(unpacked, target)
}

// program returns the folder of a program: where it is installed, or else where its Debian package is
// unpacked to.
func (s *Store) program(ctx context.Context, name, debian, folder string) (string, error) {
	if found, err := exec.LookPath(name); err == nil {
		return filepath.Dir(found), nil
	}
	unpacked, err := s.unpack(ctx, debian)
	if err != nil {
		return "", err
	}
	return filepath.Join(unpacked, folder), nil
}

// Etcd returns the folder of etcd.
func (s *Store) Etcd(ctx context.Context) (string, error) {
	return s.program(ctx, "etcd", "etcd-server", "usr/bin")
}

// Runc returns the folder of runc.
func (s *Store) Runc(ctx context.Context) (string, error) {
	return s.program(ctx, "runc", "runc", "usr/sbin")
}

// CNI returns the folder of the CNI plug-ins.
func (s *Store) CNI(ctx context.Context) (string, error) {
	const installed = "/usr/lib/cni"
	if _, err := os.Stat(filepath.Join(installed, "bridge")); err == nil {
		return installed, nil
	}
	unpacked, err := s.unpack(ctx, "containernetworking-plugins")
	if err != nil {
		return "", err
	}
	return filepath.Join(unpacked, installed), nil
}

// Containerd returns the folder of containerd, its shim and ctr, of a supported release.
func (s *Store) Containerd(ctx context.Context, release string) (string, error) {
	switch release {
	case "2.4":
		return s.build(ctx, containerd, "containerd-2.4", "containerd", "containerd-shim-runc-v2", "ctr")
	case "1.6":
		unpacked, err := s.unpack(ctx, "containerd")
		if err != nil {
			return "", err
		}
		return filepath.Join(unpacked, "usr/bin"), nil
	default:
		return "", fmt.Errorf("containerd %q is not supported: use 2.4 (built here) or 1.6 (Debian's)", release)
	}
}
