// Package assets provides the programs that the test cluster consists of: it builds them from the Go
// module proxy or takes them from Debian, and keeps them in a cache folder.
package assets

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// CacheVariable is the environment variable that overrides where the cache is.
const CacheVariable = "REGISTRYHUB_CACHE"

// marker is a file that only the root of this repository has.
const marker = "hack/cluster/kubernetes/go.mod"

// Store provides programs and remembers them.
type Store struct {
	// Root is the root of the repository.
	Root string
	// Cache is the folder that holds what was built and downloaded.
	Cache string
	// Step reports a step that takes a while, when it begins.
	Step func(format string, args ...any)
}

// Find returns the store of the repository that the working directory is in.
func Find(step func(format string, args ...any)) (*Store, error) {
	directory, err := os.Getwd()
	if err != nil {
		return nil, fmt.Errorf("looking for the repository: %w", err)
	}
	root, err := findRoot(directory)
	if err != nil {
		return nil, err
	}
	cache := filepath.Join(root, ".cache")
	if override := os.Getenv(CacheVariable); override != "" {
		if cache, err = filepath.Abs(override); err != nil {
			return nil, fmt.Errorf("making %s an absolute path: %w", CacheVariable, err)
		}
	}
	return &Store{Root: root, Cache: cache, Step: step}, nil
}

func findRoot(directory string) (string, error) {
	for candidate := directory; ; candidate = filepath.Dir(candidate) {
		_, err := os.Stat(filepath.Join(candidate, marker))
		if err == nil {
			return candidate, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("looking for the repository: %w", err)
		}
		if candidate == filepath.Dir(candidate) {
			return "", fmt.Errorf("%s is not inside a clone of the repository (no folder above it has %s): change into one", directory, marker)
		}
	}
}

// run runs a program; an error carries what it printed to stderr.
func run(ctx context.Context, directory string, env []string, program string, args ...string) error {
	return runWatched(ctx, directory, env, &tally{}, program, args...)
}

// runWatched is run, with complaints for what the program prints to stderr.
func runWatched(ctx context.Context, directory string, env []string, complaints *tally, program string, args ...string) error {
	command := exec.CommandContext(ctx, program, args...)
	command.Dir = directory
	command.Env = append(os.Environ(), env...)
	command.Stderr = complaints
	if err := command.Run(); err != nil {
		return fmt.Errorf("running %s %s: %w\n%s", program, strings.Join(args, " "), err, lastLines(complaints.String()))
	}
	return nil
}
