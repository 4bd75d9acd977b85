package sandbox

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// served returns a sandbox whose requests a supervisor of this process answers. Its reaper would take
// the children of other tests away, so tests that use it do not run in parallel with any.
func served(t *testing.T) (Sandbox, *supervisor) {
	t.Helper()
	// A short path, as Unix sockets need.
	folder, err := os.MkdirTemp("", "sandbox") //nolint:usetesting // t.TempDir is longer than a Unix socket's path may be
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	machine := Sandbox{Name: "node-1", Dir: folder}
	listener, err := net.Listen("unix", machine.Socket())
	if err != nil {
		t.Fatal(err)
	}
	supervisor := newSupervisor()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = serve(listener, supervisor)
	}()
	t.Cleanup(func() {
		_ = listener.Close()
		<-ended
	})
	return machine, supervisor
}

// await reaps until the process called name has ended.
func await(t *testing.T, s *supervisor, name string) {
	t.Helper()
	s.mu.Lock()
	known := s.processes[name]
	s.mu.Unlock()
	for known.running() {
		s.reap()
	}
}

func TestSandboxSaysHowAProcessEnded(t *testing.T) {
	for sentence, tc := range map[string]struct {
		script, want string
	}{
		"by itself":   {"exit 3", "exit code 3"},
		"by a signal": {"kill -TERM $$", "signal: terminated"},
	} {
		t.Run(sentence, func(t *testing.T) {
			machine, supervisor := served(t)
			process := Process{Name: "p", Args: []string{"sh", "-c", tc.script}, Log: filepath.Join(t.TempDir(), "log")}
			if err := machine.Start(context.Background(), process); err != nil {
				t.Fatal(err)
			}
			await(t, supervisor, "p")
			states, err := machine.States(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]State{{Name: "p", Ended: tc.want}}, states); diff != "" {
				t.Errorf("states (-want +got):\n%s", diff)
			}
		})
	}
}

func TestSandboxStopsAProcess(t *testing.T) {
	machine, supervisor := served(t)
	process := Process{Name: "p", Args: []string{"sleep", "600"}, Log: filepath.Join(t.TempDir(), "log")}
	for range 2 { // the second one finds the process running
		if err := machine.Start(context.Background(), process); err != nil {
			t.Fatal(err)
		}
	}
	go await(t, supervisor, "p")
	if err := machine.Stop(context.Background(), "p"); err != nil {
		t.Fatal(err)
	}
	states, err := machine.States(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]State{{Name: "p", Ended: "signal: terminated"}}, states); diff != "" {
		t.Errorf("states (-want +got):\n%s", diff)
	}
}

func TestProcessHasItsEnvironmentAndLog(t *testing.T) {
	machine, supervisor := served(t)
	log := filepath.Join(t.TempDir(), "folder", "log")
	process := Process{Name: "p", Args: []string{"sh", "-c", `echo "$HOME $GREETING"; echo complaint >&2`}, Env: []string{"GREETING=hello"}, Log: log}
	if err := machine.Start(context.Background(), process); err != nil {
		t.Fatal(err)
	}
	await(t, supervisor, "p")
	content, err := os.ReadFile(log)
	if err != nil || string(content) != "/root hello\ncomplaint\n" {
		t.Errorf("log is %q, %v", content, err)
	}
}

func TestSandboxSaysWhatItCannotDo(t *testing.T) {
	machine, _ := served(t)
	log := filepath.Join(t.TempDir(), "log")
	for sentence, tc := range map[string]struct {
		do   func() error
		want string
	}{
		"a program that is not there": {
			func() error {
				return machine.Start(context.Background(), Process{Name: "p", Args: []string{"no-such-program"}, Log: log})
			}, "sandbox node-1: starting p: looking for the program",
		},
		"no program": {
			func() error { return machine.Start(context.Background(), Process{Name: "p", Log: log}) },
			"no program given",
		},
		"a process that is not there": {
			func() error { return machine.Stop(context.Background(), "p") },
			"no process is called p",
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			if err := tc.do(); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error is %v, want one with %q", err, tc.want)
			}
		})
	}
}

func TestInitEndsWithoutAConfiguration(t *testing.T) {
	err := Init(t.Context(), strings.NewReader(""))
	if err == nil || !strings.Contains(err.Error(), "reading what the sandbox is to be") {
		t.Errorf("error is %v, want one about the missing configuration", err)
	}
}
