// Package debian fetches Debian packages without installing them, for programs and files that tests run.
package debian

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// Download fetches packages into a directory and returns the archives' paths, sorted by name. It needs apt-get; the
// lists of packages are updated once if apt-get does not know a package.
func Download(ctx context.Context, directory string, packages ...string) ([]string, error) {
	if err := os.MkdirAll(directory, 0o755); err != nil {
		return nil, fmt.Errorf("making a folder for Debian packages: %w", err)
	}
	// Not as apt's own user, who could not write to a folder of ours.
	args := append([]string{"-q", "-o", "APT::Sandbox::User=root", "download"}, packages...)
	if apt(ctx, directory, args...) != nil {
		if err := apt(ctx, directory, "-q", "update"); err != nil {
			return nil, err
		}
		if err := apt(ctx, directory, args...); err != nil {
			return nil, err
		}
	}
	archives, err := filepath.Glob(filepath.Join(directory, "*.deb"))
	if err != nil {
		return nil, fmt.Errorf("listing the Debian packages in %s: %w", directory, err)
	}
	return archives, nil
}

// Unpack fetches packages and unpacks them below a directory, so that nothing is registered or started.
func Unpack(ctx context.Context, directory string, packages ...string) error {
	downloads, err := os.MkdirTemp("", "registryhub-debian-")
	if err != nil {
		return fmt.Errorf("making a folder for Debian packages: %w", err)
	}
	defer os.RemoveAll(downloads)
	archives, err := Download(ctx, downloads, packages...)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(directory, 0o755); err != nil {
		return fmt.Errorf("making the folder to unpack to: %w", err)
	}
	for _, archive := range archives {
		if out, err := exec.CommandContext(ctx, "dpkg-deb", "--extract", archive, directory).CombinedOutput(); err != nil {
			return fmt.Errorf("unpacking %s: %w: %s", filepath.Base(archive), err, out)
		}
	}
	return nil
}

func apt(ctx context.Context, directory string, args ...string) error {
	cmd := exec.CommandContext(ctx, "apt-get", args...)
	cmd.Dir = directory
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("running apt-get %q: %w: %s", args, err, out)
	}
	return nil
}
