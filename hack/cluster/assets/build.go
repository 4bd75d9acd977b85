package assets

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
)

// module is a Go module below hack/cluster whose only content is a go.mod that pins programs.
type module struct {
	// folder is the module's folder in the repository.
	folder string
	// dependency is the module path that gives the version.
	dependency string
	// commands is the import path that the programs are below.
	commands string
	// ldflags returns the linker flags that tell the programs their version.
	ldflags func(version string) string
	// tags are build tags, none by default.
	tags string
}

var kubernetes = module{
	folder:     "hack/cluster/kubernetes",
	dependency: "k8s.io/kubernetes",
	commands:   "k8s.io/kubernetes/cmd",
	ldflags:    kubernetesFlags,
}

var containerd = module{
	folder:     "hack/cluster/containerd",
	dependency: "github.com/containerd/containerd/v2",
	commands:   "github.com/containerd/containerd/v2/cmd",
	ldflags: func(version string) string {
		return "-X github.com/containerd/containerd/v2/version.Version=" + version
	},
}

func kubernetesFlags(version string) string {
	const variable = "-X k8s.io/component-base/version."
	major, rest, _ := strings.Cut(strings.TrimPrefix(version, "v"), ".")
	minor, _, _ := strings.Cut(rest, ".")
	return variable + "gitVersion=" + version + " " + variable + "gitMajor=" + major + " " + variable + "gitMinor=" + minor +
		" " + variable + "gitTreeState=clean"
}

// version returns the version of dependency that the text of a go.mod requires.
func version(gomod, dependency string) (string, error) {
	require := regexp.MustCompile(`(?m)^\s*(?:require\s+)?` + regexp.QuoteMeta(dependency) + `\s+(v\S+)`)
	found := require.FindStringSubmatch(gomod)
	if found == nil {
		return "", fmt.Errorf("go.mod does not require %s", dependency)
	}
	return found[1], nil
}

// build makes sure that the programs called names are in the cache folder and current, and returns
// that folder. All that are missing are built by one command, so that they share their packages.
func (s *Store) build(ctx context.Context, m module, folder string, names ...string) (string, error) {
	source, target := filepath.Join(s.Root, m.folder), filepath.Join(s.Cache, folder)
	pinned, err := readPins(source)
	if err != nil {
		return "", err
	}
	release, err := version(pinned, m.dependency)
	if err != nil {
		return "", fmt.Errorf("reading %s: %w", source, err)
	}
	flags := "-s -w " + m.ldflags(release)
	stamp := stampOf(pinned, flags+m.tags)
	return target, s.alone(folder, func() error {
		missing := outdated(target, stamp, names)
		if len(missing) == 0 {
			return nil
		}
		return s.compile(ctx, m, release, flags, stamp, target, missing)
	})
}

// compile builds the programs called names to the folder target.
func (s *Store) compile(ctx context.Context, m module, release, flags, stamp, target string, names []string) error {
	s.Step("building %s %s: %s (minutes, once)", path.Base(m.folder), release, strings.Join(names, ", "))
	args := []string{"build", "-v", "-trimpath", "-tags", m.tags, "-ldflags", flags, "-o", target + "/"}
	for _, name := range names {
		args = append(args, m.commands+"/"+name)
	}
	if err := os.MkdirAll(target, 0o755); err != nil {
		return fmt.Errorf("making the cache folder: %w", err)
	}
	// With -v go names each package that it has compiled, on a line of its own.
	watch := &tally{report: func(lines int) { s.Step("building %s: %d packages so far", path.Base(m.folder), lines) }}
	source := filepath.Join(s.Root, m.folder)
	if err := runWatched(ctx, source, []string{"CGO_ENABLED=0", "GOWORK=off"}, watch, "go", args...); err != nil {
		return err
	}
	return writeStamps(target, stamp, names)
}

func readPins(source string) (string, error) {
	var pinned strings.Builder
	for _, file := range []string{"go.mod", "go.sum"} {
		content, err := os.ReadFile(filepath.Join(source, file))
		if err != nil {
			return "", fmt.Errorf("reading which version to build: %w", err)
		}
		pinned.Write(content)
	}
	return pinned.String(), nil
}

// stampOf identifies what a program was built from.
func stampOf(parts ...string) string {
	hash := sha256.Sum256([]byte(strings.Join(append(parts, runtime.Version(), runtime.GOARCH), "\x00")))
	return hex.EncodeToString(hash[:])
}

func stampFile(folder, name string) string { return filepath.Join(folder, "."+name+".stamp") }

// outdated returns which of the programs are not in folder, or were built from something else.
func outdated(folder, stamp string, names []string) []string {
	var missing []string
	for _, name := range names {
		_, err := os.Stat(filepath.Join(folder, name))
		found, _ := os.ReadFile(stampFile(folder, name))
		if err != nil || string(found) != stamp {
			missing = append(missing, name)
		}
	}
	return missing
}

func writeStamps(folder, stamp string, names []string) error {
	for _, name := range names {
		if err := os.WriteFile(stampFile(folder, name), []byte(stamp), 0o644); err != nil {
			return fmt.Errorf("noting what %s was built from: %w", name, err)
		}
	}
	return nil
}

// Kubernetes builds the named Kubernetes programs and returns their folder.
func (s *Store) Kubernetes(ctx context.Context, names ...string) (string, error) {
	return s.build(ctx, kubernetes, "kubernetes", names...)
}

// Program builds the program of this repository whose package is at folder, and returns the binary.
// It is left to Go's build cache to know whether that is any work.
func (s *Store) Program(ctx context.Context, folder string) (string, error) {
	binary := filepath.Join(s.Cache, "programs", path.Base(folder))
	err := run(ctx, s.Root, []string{"CGO_ENABLED=0"}, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", binary, "./"+folder)
	if err != nil {
		return "", err
	}
	return binary, nil
}
