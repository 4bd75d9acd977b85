package assets

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/registryhub/registryhub/hack/debian"
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
	return debian.Install(ctx, missing...)
}

func missingPackages() []string {
	var missing []string
	for program, origin := range hostPrograms {
		if _, err := exec.LookPath(program); err != nil {
			missing = append(missing, origin)
		}
	}
	return missing
}

// unpack returns the folder in the cache that a Debian package is unpacked to.
func (s *Store) unpack(ctx context.Context, name string) (string, error) {
	target := filepath.Join(s.Cache, "debian", name)
	// One lock for all packages: apt has one, too, and does not wait for it.
	return target, s.alone("debian", func() error {
		if _, err := os.Stat(target); err == nil {
			return nil
		}
		s.Step("downloading Debian's %s", name)
		return debian.Unpack(ctx, target, name)
	})
}

// program returns the folder of a program: where it is installed, or else where its Debian package is
// unpacked to.
func (s *Store) program(ctx context.Context, name, origin, folder string) (string, error) {
	if found, err := exec.LookPath(name); err == nil {
		return filepath.Dir(found), nil
	}
	unpacked, err := s.unpack(ctx, origin)
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
