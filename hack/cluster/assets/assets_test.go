package assets

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"
)

func TestFindRoot(t *testing.T) {
	root := t.TempDir()
	below := filepath.Join(root, "test", "e2e")
	for _, folder := range []string{filepath.Dir(filepath.Join(root, marker)), below} {
		if err := os.MkdirAll(folder, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := findRoot(below); err == nil || !strings.Contains(err.Error(), "is not inside a clone") {
		t.Errorf("error is %v, want one that says to change into a clone", err)
	}
	if err := os.WriteFile(filepath.Join(root, marker), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := findRoot(below); err != nil || got != root {
		t.Errorf("root is %s, %v, want %s", got, err, root)
	}
}

func TestCacheCanBeElsewhere(t *testing.T) {
	t.Setenv(CacheVariable, "/somewhere/else")
	store, err := Find(nil)
	if err != nil {
		t.Fatal(err)
	}
	if store.Cache != "/somewhere/else" {
		t.Errorf("cache is %s, want /somewhere/else", store.Cache)
	}
}

func TestVersion(t *testing.T) {
	const gomod = "module m\n\nrequire (\n\tk8s.io/kubernetes v1.36.3 // indirect\n\tk8s.io/kubernetes-extra v9.9.9\n)\n\nrequire example.com/one v1.0.0\n"
	for dependency, want := range map[string]string{"k8s.io/kubernetes": "v1.36.3", "example.com/one": "v1.0.0", "example.com/two": ""} {
		got, err := version(gomod, dependency)
		if got != want || (err != nil) != (want == "") {
			t.Errorf("%s is at %q, %v, want %q", dependency, got, err, want)
		}
	}
}

func TestPinnedModulesAreReadable(t *testing.T) {
	store, err := Find(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range []module{kubernetes, containerd, prometheus, versitygw, conformance, regclient, crane} {
		pinned, err := readPins(filepath.Join(store.Root, m.folder))
		if err != nil {
			t.Fatal(err)
		}
		release, err := version(pinned, m.dependency)
		if err != nil {
			t.Error(err)
		}
		if flags := m.ldflags(release); !strings.Contains(flags, release) {
			t.Errorf("linker flags of %s are %q, without %s", m.folder, flags, release)
		}
	}
}

func TestKubernetesFlags(t *testing.T) {
	const variable = "-X k8s.io/component-base/version."
	want := variable + "gitVersion=v1.36.3 " + variable + "gitMajor=1 " + variable + "gitMinor=36 " + variable + "gitTreeState=clean"
	if diff := cmp.Diff(want, kubernetesFlags("v1.36.3")); diff != "" {
		t.Errorf("flags (-want +got):\n%s", diff)
	}
}

func TestOutdated(t *testing.T) {
	folder := t.TempDir()
	for _, name := range []string{"current", "old", "unstamped"} {
		if err := os.WriteFile(filepath.Join(folder, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	current, old := stampOf("v2"), stampOf("v1")
	if err := writeStamps(folder, current, []string{"current", "gone"}); err != nil {
		t.Fatal(err)
	}
	if err := writeStamps(folder, old, []string{"old"}); err != nil {
		t.Fatal(err)
	}
	got := outdated(folder, current, []string{"current", "old", "unstamped", "gone"})
	if diff := cmp.Diff([]string{"old", "unstamped", "gone"}, got); diff != "" {
		t.Errorf("outdated (-want +got):\n%s", diff)
	}
}

func TestOneAtATimeProvidesAFolder(t *testing.T) {
	store := &Store{Cache: t.TempDir()}
	var inside, most atomic.Int32
	var group errgroup.Group
	for range 8 {
		group.Go(func() error {
			return store.alone("debian", func() error {
				now := inside.Add(1)
				most.Store(max(now, most.Load()))
				runtime.Gosched()
				inside.Add(-1)
				return nil
			})
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	if got := most.Load(); got != 1 {
		t.Errorf("%d provided the folder at a time, want one", got)
	}
}

func TestUnknownContainerdIsRefused(t *testing.T) {
	_, err := (&Store{}).Containerd(t.Context(), "1.7")
	if err == nil || !strings.Contains(err.Error(), "use 2.4 (built here) or 1.6 (Debian's)") {
		t.Errorf("error is %v, want one that says what to use", err)
	}
}

func TestReplaceLink(t *testing.T) {
	link := filepath.Join(t.TempDir(), "etcd")
	for _, target := range []string{"/usr/bin/etcd", "/usr/bin/etcd", "/cache/etcd"} {
		if err := replaceLink(target, link); err != nil {
			t.Fatal(err)
		}
		if got, err := os.Readlink(link); err != nil || got != target {
			t.Errorf("link leads to %s, %v, want %s", got, err, target)
		}
	}
}

func TestTallyReportsNowAndThen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var reports []int
		watch := &tally{report: func(lines int) { reports = append(reports, lines) }}
		for range 10 {
			if _, err := watch.Write([]byte("one\ntwo\n")); err != nil {
				t.Fatal(err)
			}
			time.Sleep(reportPeriod / 3) //nolint:forbidigo // the bubble's clock, which does not wait
		}
		if diff := cmp.Diff([]int{8, 14, 20}, reports); diff != "" {
			t.Errorf("reports (-want +got):\n%s", diff)
		}
	})
}

func TestLastLinesKeepsTheEnd(t *testing.T) {
	long := strings.Repeat("line\n", 100) + "the cause\n"
	got := lastLines(long)
	if lines := strings.Split(got, "\n"); len(lines) != 20 || lines[19] != "the cause" {
		t.Errorf("kept %d lines, the last of them %q", len(lines), lines[len(lines)-1])
	}
}
