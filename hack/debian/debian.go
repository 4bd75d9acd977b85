// Package debian fetches Debian packages: programs and files that the test cluster, the demo and the tests use.
package debian

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// Install installs packages on this machine. It needs root.
func Install(ctx context.Context, packages ...string) error {
	return apt(ctx, "", append([]string{"install", "--yes", "--no-install-recommends"}, packages...)...)
}

// Download fetches packages into a directory and returns the archives' paths, sorted by name.
func Download(ctx context.Context, directory string, packages ...string) ([]string, error) {
	if err := os.MkdirAll(directory, 0o755); err != nil {
		return nil, fmt.Errorf("making a folder for Debian packages: %w", err)
	}
	// Not as apt's own user, who could not write to a folder of ours.
	if err := apt(ctx, directory, append([]string{"-o", "APT::Sandbox::User=root", "download"}, packages...)...); err != nil {
		return nil, err
	}
	archives, err := filepath.Glob(filepath.Join(directory, "*.deb"))
	if err != nil {
		return nil, fmt.Errorf("listing the Debian packages in %s: %w", directory, err)
	}
	return archives, nil
}

// Unpack fetches packages and unpacks them to a directory, which must not exist: it is there whole or not at all. They
// are not installed, so that no service of theirs is registered, let alone started.
func Unpack(ctx context.Context, directory string, packages ...string) error {
	if err := os.MkdirAll(filepath.Dir(directory), 0o755); err != nil {
		return fmt.Errorf("making the folder to unpack in: %w", err)
	}
	work, err := os.MkdirTemp(filepath.Dir(directory), "download-")
	if err != nil {
		return fmt.Errorf("making a folder for Debian packages: %w", err)
	}
	return errors.Join(unpackIn(ctx, work, directory, packages), os.RemoveAll(work))
}

func unpackIn(ctx context.Context, work, directory string, packages []string) error {
	archives, err := Download(ctx, work, packages...)
	if err != nil {
		return err
	}
	unpacked := filepath.Join(work, "unpacked")
	for _, archive := range archives {
		if out, err := exec.CommandContext(ctx, "dpkg-deb", "--extract", archive, unpacked).CombinedOutput(); err != nil {
			return fmt.Errorf("unpacking %s: %w: %s", filepath.Base(archive), err, out)
		}
	}
	return os.Rename(unpacked, directory)
}

// apt runs apt-get, a second time after an update if it fails: package lists are missing from fresh machines, and old
// lists name packages that are gone.
func apt(ctx context.Context, directory string, args ...string) error {
	if aptGet(ctx, directory, args...) == nil {
		return nil
	}
	if err := aptGet(ctx, directory, "update"); err != nil {
		return err
	}
	return aptGet(ctx, directory, args...)
}

func aptGet(ctx context.Context, directory string, args ...string) error {
	cmd := exec.CommandContext(ctx, "apt-get", append([]string{"-q", "-o", "DPkg::Lock::Timeout=300"}, args...)...)
	cmd.Dir = directory
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("running apt-get %q: %w: %s", args, err, out)
	}
	return nil
}
