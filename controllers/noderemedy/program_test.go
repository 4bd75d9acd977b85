package noderemedy

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTheProgramIsTheOneThatListens(t *testing.T) {
	t.Parallel()
	socket := filepath.Join(t.TempDir(), "s")
	if _, err := FindProgram(t.Context(), socket); err == nil {
		t.Error("nobody listens, and a program is found")
	}
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	got, err := FindProgram(t.Context(), socket)
	if diff := cmp.Diff(Program{PID: os.Getpid(), Path: path, Config: defaultConfig}, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

func TestADumpThatFailsTellsWhatWasSaid(t *testing.T) {
	t.Parallel()
	program := Program{Path: script(t, "containerd", `echo "$@"; echo 'line 3 is none' >&2; [ "$2" = /good ]`)}
	if got, err := program.Dump(t.Context(), "/good"); string(got) != "--config /good config dump\n" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := program.Dump(t.Context(), "/bad"); err == nil || !strings.Contains(err.Error(), "line 3 is none") {
		t.Errorf("got %v", err)
	}
}

// A unit that has failed too often is started all the same, and what systemd says of a failure is told.
func TestSystemdRestartsTheUnit(t *testing.T) {
	folder := filepath.Dir(script(t, "systemctl", `echo "$@" >> "$(dirname "$0")/asked"; [ ! -e "$(dirname "$0")/broken" ] || { echo 'see journalctl'; exit 1; }`))
	t.Setenv("PATH", folder+":"+os.Getenv("PATH"))
	if err := (Systemd{}).Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	asked, err := os.ReadFile(filepath.Join(folder, "asked"))
	if diff := cmp.Diff("reset-failed containerd.service\nrestart containerd.service\n", string(asked)); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if err := os.WriteFile(filepath.Join(folder, "broken"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := (Systemd{}).Restart(t.Context()); err == nil || !strings.Contains(err.Error(), "see journalctl") {
		t.Errorf("got %v", err)
	}
}

// script is a program of a few lines of shell.
func script(t *testing.T, name, text string) string {
	t.Helper()
	name = filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(name, []byte("#!/bin/sh\n"+text+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return name
}
