package main

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"github.com/registryhub/registryhub/hack/debian"
)

// layers are the Debian packages of each layer of the demo's image: some 100 MB, compressed, of real files.
var layers = [][]string{
	{"base-files", "libc6", "libtinfo6", "bash", "coreutils", "dash", "libacl1", "libattr1", "libselinux1", "libgmp10", "libpcre2-8-0"},
	{"perl-base", "perl", "perl-modules-5.36", "libperl5.36", "git"},
	{"cpp-12", "binutils-x86-64-linux-gnu"},
	{"openjdk-17-jre-headless"},
}

// buildImage makes an image of Debian packages, a layer for each list, that runs bash. The packages and the layers
// are kept in a folder between runs.
func buildImage(ctx context.Context, folder string) (v1.Image, error) {
	image := empty.Image
	for i, packages := range layers {
		layer, err := debianLayer(ctx, filepath.Join(folder, fmt.Sprintf("layer-%d", i)), packages)
		if err != nil {
			return nil, err
		}
		if image, err = mutate.AppendLayers(image, layer); err != nil {
			return nil, fmt.Errorf("adding a layer to the demo's image: %w", err)
		}
	}
	return mutate.Config(image, v1.Config{Cmd: []string{"/bin/bash"}, Env: []string{"PATH=/usr/bin:/bin"}})
}

func debianLayer(ctx context.Context, folder string, packages []string) (v1.Layer, error) {
	file := folder + ".tar"
	if _, err := os.Stat(file); err != nil {
		if err := writeLayer(ctx, folder, file, packages); err != nil {
			return nil, err
		}
	}
	layer, err := tarball.LayerFromFile(file, tarball.WithCompressedCaching)
	if err != nil {
		return nil, fmt.Errorf("compressing %s: %w", file, err)
	}
	return layer, nil
}

func writeLayer(ctx context.Context, downloads, file string, packages []string) error {
	archives, err := debian.Download(ctx, downloads, packages...)
	if err != nil {
		return err
	}
	partial, err := os.Create(file + ".partial")
	if err != nil {
		return fmt.Errorf("making a layer: %w", err)
	}
	defer os.Remove(partial.Name())
	out := tar.NewWriter(partial)
	seen := map[string]bool{}
	for _, archive := range archives {
		if err := appendArchive(ctx, out, archive, seen); err != nil {
			return errors.Join(err, partial.Close())
		}
	}
	if err := errors.Join(out.Close(), partial.Close()); err != nil {
		return fmt.Errorf("writing %s: %w", file, err)
	}
	return os.Rename(partial.Name(), file)
}

// appendArchive copies the files of a Debian archive; a folder that is there already is passed over.
func appendArchive(ctx context.Context, out *tar.Writer, archive string, seen map[string]bool) error {
	cmd := exec.CommandContext(ctx, "dpkg-deb", "--fsys-tarfile", archive)
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		return fmt.Errorf("reading %s: %w", archive, err)
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("reading %s: %w", archive, err)
	}
	copyErr := copyEntries(out, tar.NewReader(pipe), seen)
	_, _ = io.Copy(io.Discard, pipe)
	if err := errors.Join(copyErr, cmd.Wait()); err != nil {
		return fmt.Errorf("copying %s into a layer: %w", filepath.Base(archive), err)
	}
	return nil
}

func copyEntries(out *tar.Writer, in *tar.Reader, seen map[string]bool) error {
	for {
		header, err := in.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if seen[header.Name] {
			continue
		}
		seen[header.Name] = true
		if err := out.WriteHeader(header); err != nil {
			return err
		}
		if _, err := io.Copy(out, in); err != nil {
			return err
		}
	}
}
