package sandbox

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestParseStat(t *testing.T) {
	const rest = " S 1 7 7 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 4711 1000 2"
	for sentence, tc := range map[string]struct {
		line      string
		wantState string
		wantStart uint64
		wantError string
	}{
		"a plain name":                    {"7 (etcd)" + rest, "S", 4711, ""},
		"a name with blanks and brackets": {"7 (a (b) c)" + rest, "S", 4711, ""},
		"no name":                         {"7 etcd", "", 0, "has no program name"},
		"too few fields":                  {"7 (etcd) S 1 7", "", 0, "3 fields after the name"},
		"a start time that is no number":  {"7 (etcd)" + strings.Replace(rest, "4711", "then", 1), "", 0, "start time"},
	} {
		t.Run(sentence, func(t *testing.T) {
			state, start, err := parseStat(tc.line)
			if tc.wantError != "" {
				if err == nil || !strings.Contains(err.Error(), tc.wantError) {
					t.Errorf("error is %v, want one with %q", err, tc.wantError)
				}
				return
			}
			if err != nil || state != tc.wantState || start != tc.wantStart {
				t.Errorf("got %q, %d, %v, want %q, %d", state, start, err, tc.wantState, tc.wantStart)
			}
		})
	}
}

// sleeper starts a process that runs until it is ended.
func sleeper(t *testing.T) (*exec.Cmd, Identity) {
	t.Helper()
	command := exec.Command("sleep", "600")
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = command.Process.Kill() })
	identity, err := identify(command.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	return command, identity
}

func TestKillEndsTheProcess(t *testing.T) {
	command, identity := sleeper(t)
	ended := make(chan error, 1)
	go func() { ended <- command.Wait() }()
	if err := identity.kill(10 * time.Second); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err == nil || err.Error() != "signal: killed" {
		t.Errorf("process ended with %v, want signal: killed", err)
	}
	if identity.Alive() {
		t.Error("identity of a killed process is alive")
	}
}

func TestKillSparesAnotherProcessOfTheSamePID(t *testing.T) {
	for sentence, change := range map[string]func(*Identity){
		"started at another time": func(i *Identity) { i.StartTime++ },
		"of another boot":         func(i *Identity) { i.BootID = "another" },
	} {
		t.Run(sentence, func(t *testing.T) {
			_, identity := sleeper(t)
			other := identity
			change(&other)
			if other.Alive() {
				t.Error("the other identity is alive")
			}
			if err := other.kill(time.Second); err != nil {
				t.Fatal(err)
			}
			if !identity.Alive() {
				t.Error("the process was ended")
			}
		})
	}
}

func TestIdentitySurvivesItsFile(t *testing.T) {
	_, identity := sleeper(t)
	file := filepath.Join(t.TempDir(), "init.json")
	if err := identity.write(file); err != nil {
		t.Fatal(err)
	}
	read, err := readIdentity(file)
	if err != nil || read != identity {
		t.Errorf("read %+v, %v, want %+v", read, err, identity)
	}
}

func TestEndingWhatNeverBeganIsFine(t *testing.T) {
	machine := Sandbox{Name: "node-1", Dir: t.TempDir()}
	if err := machine.End(); err != nil {
		t.Error(err)
	}
	if machine.Alive() {
		t.Error("a sandbox that never began is alive")
	}
}
