package noderemedy

import (
	"errors"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
)

const (
	dropIn = "registryhub.d/99-registryhub.toml"
	backup = "config.toml.before-registryhub"
)

func TestRun(t *testing.T) {
	t.Parallel()
	const was = certs + ":/nowhere"
	cases := map[string]struct {
		change func(m *machine, r *Remedy)
		want   configv1alpha1.RemedyOutcome
		says   string
		// restarts are the config_path at each.
		restarts []string
		// undone: the folder is as it was.
		undone bool
	}{
		"the change, and a restart": {want: "Mended", says: "restarted", restarts: []string{certs}},
		"the change alone": {
			change: func(_ *machine, r *Remedy) { r.Service, r.WithoutRestart = nil, "Restart it by hand" },
			want:   "RestartPending", says: "Restart it by hand",
		},
		"a file that somebody else changed meanwhile": {
			change: func(_ *machine, r *Remedy) { r.Started = time.Now().Add(-time.Hour) },
			want:   "RestartPending", says: "Somebody else changed",
		},
		"a containerd that does not come back": {
			change: func(m *machine, _ *Remedy) { m.broken = true },
			want:   "Failed", says: "it runs again", restarts: []string{certs, was}, undone: true,
		},
		"a configuration that cannot be loaded as it is": {
			change: func(m *machine, _ *Remedy) { m.refuses = 1 },
			want:   "Declined", says: "even as it is", undone: true,
		},
		"a trial that cannot be loaded": {
			change: func(m *machine, _ *Remedy) { m.refuses = 2 },
			want:   "Declined", says: "a trial of the change failed", undone: true,
		},
		"a whole that cannot be loaded": {
			change: func(m *machine, _ *Remedy) { m.refuses = 3 },
			want:   "Failed", says: "which was undone", undone: true,
		},
		"a change that would change more": {
			change: func(m *machine, _ *Remedy) { m.drifts = true },
			want:   "Declined", says: "more of containerd's configuration would change", undone: true,
		},
		"another runtime": {
			change: func(m *machine, _ *Remedy) { m.name = "cri-o" },
			want:   "Declined", says: `"cri-o"`, undone: true,
		},
		"a disk that is full": {
			change: func(_ *machine, r *Remedy) { r.disk = &stopping{disk: r.disk, after: 0} },
			want:   "Declined", says: "nothing was changed", undone: true,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMachine(t, map[string]string{"config.toml": list})
			r := m.remedy()
			if tc.change != nil {
				tc.change(m, r)
			}
			got := r.Run(t.Context())
			if got.Outcome != tc.want || !strings.Contains(got.Message, tc.says) {
				t.Errorf("got %+v, want %s with %q", got, tc.want, tc.says)
			}
			if diff := cmp.Diff(tc.restarts, m.restarts); diff != "" {
				t.Errorf("restarts (-want +got):\n%s", diff)
			}
			want := []string{"config.toml", backup, dropIn}
			if tc.undone {
				want = []string{"config.toml"}
			}
			files := m.files()
			if diff := cmp.Diff(want, slices.Sorted(maps.Keys(files))); diff != "" {
				t.Errorf("files (-want +got):\n%s", diff)
			}
			if tc.undone && files["config.toml"] != list || !tc.undone && files[backup] != list {
				t.Errorf("what was there is not kept byte for byte: %q", files)
			}
		})
	}
}

// A trial imports last what may not be last in the end.
func TestAChangeThatAnotherFileTakesBackIsUndone(t *testing.T) {
	t.Parallel()
	files := map[string]string{"config.toml": "version = 3\nimports = ['conf.d/*.toml']\n", "conf.d/zz.toml": list}
	m := newMachine(t, files)
	got := m.remedy().Run(t.Context())
	if got.Outcome != configv1alpha1.RemedyFailed || !strings.Contains(got.Message, "would still not read") || len(m.restarts) > 0 {
		t.Errorf("got %+v, restarts %q", got, m.restarts)
	}
	if diff := cmp.Diff(files, m.files()); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

// A Job that runs again, with leave to restart, finds what the one before did, and does no more than the restart.
func TestASecondRunRestartsWhatTheFirstChanged(t *testing.T) {
	t.Parallel()
	m := newMachine(t, map[string]string{"config.toml": list})
	started := time.Now().Add(-time.Hour)
	if err := os.Chtimes(m.main(), started.Add(-time.Hour), started.Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	first := m.remedy()
	first.Started, first.Service = started, nil
	if got := first.Run(t.Context()); got.Outcome != configv1alpha1.RemedyRestartPending {
		t.Fatalf("got %+v", got)
	}
	dumps, files := m.dumps, m.files()
	second := m.remedy()
	second.Started = started
	if got := second.Run(t.Context()); got.Outcome != configv1alpha1.RemedyMended || len(m.restarts) != 1 || m.dumps != dumps {
		t.Errorf("got %+v, restarts %q, dumps %d", got, m.restarts, m.dumps-dumps)
	}
	if diff := cmp.Diff(files, m.files()); diff != "" {
		t.Errorf("files (-first +second):\n%s", diff)
	}
	third := m.remedy()
	if got := third.Run(t.Context()); got.Outcome != configv1alpha1.RemedyMended || len(m.restarts) != 1 {
		t.Errorf("after the restart: got %+v, restarts %q", got, m.restarts)
	}
	m.broken = true
	if got := second.Run(t.Context()); got.Outcome != configv1alpha1.RemedyFailed {
		t.Errorf("got %+v", got)
	}
	if diff := cmp.Diff(map[string]string{"config.toml": list}, m.files()); diff != "" {
		t.Errorf("files that the second undid (-want +got):\n%s", diff)
	}
}

func TestAConfigurationThatSomebodyElseMendedIsNobodysBusiness(t *testing.T) {
	t.Parallel()
	m := newMachine(t, map[string]string{"config.toml": "version = 3\n" + images + mended + "\n"})
	if got := m.remedy().Run(t.Context()); got.Outcome != configv1alpha1.RemedyDeclined || len(m.restarts) != 0 {
		t.Errorf("got %+v, restarts %q", got, m.restarts)
	}
}

// stopping is a disk that does nothing any more after a number of steps, as when the machine lost its power.
type stopping struct {
	disk
	after, steps int
}

var errStopped = errors.New("the machine has stopped")

func (s *stopping) step(do func() error) error {
	if s.steps++; s.steps > s.after {
		return errStopped
	}
	return do()
}

func (s *stopping) Mkdir(name string) error {
	return s.step(func() error { return s.disk.Mkdir(name) })
}

func (s *stopping) WriteFile(name string, content []byte, mode os.FileMode) error {
	return s.step(func() error { return s.disk.WriteFile(name, content, mode) })
}

func (s *stopping) Rename(from, to string) error {
	return s.step(func() error { return s.disk.Rename(from, to) })
}

func (s *stopping) Remove(name string) error {
	return s.step(func() error { return s.disk.Remove(name) })
}

func (s *stopping) Sync(folder string) error {
	return s.step(func() error { return s.disk.Sync(folder) })
}

// Wherever the machine stops, what is on the disk loads, and the next run ends where an undisturbed one does.
func TestEveryStopLeavesAConfigurationThatLoads(t *testing.T) {
	t.Parallel()
	whole := newMachine(t, map[string]string{"config.toml": list})
	count := whole.remedy()
	counted := &stopping{disk: count.disk, after: 1 << 20}
	count.disk = counted
	if got := count.Run(t.Context()); got.Outcome != configv1alpha1.RemedyMended {
		t.Fatalf("got %+v", got)
	}
	if counted.steps < 20 {
		t.Errorf("%d steps: the test does not see them", counted.steps)
	}
	for after := range counted.steps {
		m := newMachine(t, map[string]string{"config.toml": list})
		stopped := m.remedy()
		stopped.disk = &stopping{disk: stopped.disk, after: after}
		stopped.Run(t.Context())
		if path := m.configPath(m.main()); path != certs && path != certs+":/nowhere" {
			t.Errorf("after %d steps config_path is %q", after, path)
		}
		if got := m.remedy().Run(t.Context()); got.Outcome != configv1alpha1.RemedyMended {
			t.Errorf("after %d steps, again: %+v", after, got)
		}
		if diff := cmp.Diff(replaced(whole), replaced(m)); diff != "" {
			t.Errorf("after %d steps, again (-undisturbed +got):\n%s", after, diff)
		}
	}
}

// replaced are a machine's files with the folder's name taken out.
func replaced(m *machine) map[string]string {
	all := m.files()
	for name, text := range all {
		all[name] = strings.ReplaceAll(text, m.folder, "")
	}
	return all
}

func TestConfigOf(t *testing.T) {
	t.Parallel()
	for want, arguments := range map[string][]string{
		"/etc/containerd/config.toml": {"/usr/bin/containerd", "--log-level=debug"},
		"/a":                          {"containerd", "--config", "/a"},
		"/b":                          {"containerd", "-l", "debug", "--config=/b"},
		"/c":                          {"containerd", "-c", "/c"},
	} {
		if got := configOf(arguments); got != want {
			t.Errorf("%q: got %s", arguments, got)
		}
	}
}
