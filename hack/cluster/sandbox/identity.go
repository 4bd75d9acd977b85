package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Identity names one process for ever: a PID alone is given to another process sooner or later.
type Identity struct {
	PID       int    `json:"pid"`
	StartTime uint64 `json:"startTime"`
	BootID    string `json:"bootID"`
}

// identify returns the identity of the running process pid.
func identify(pid int) (Identity, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return Identity{}, fmt.Errorf("looking at process %d: %w", pid, err)
	}
	state, start, err := parseStat(string(stat))
	if err != nil {
		return Identity{}, fmt.Errorf("looking at process %d: %w", pid, err)
	}
	if state == "Z" {
		return Identity{}, fmt.Errorf("looking at process %d: %w", pid, os.ErrProcessDone)
	}
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return Identity{}, fmt.Errorf("reading which boot of the machine this is: %w", err)
	}
	return Identity{PID: pid, StartTime: start, BootID: strings.TrimSpace(string(boot))}, nil
}

// parseStat returns the state and the start time of a line of /proc/PID/stat, fields 3 and 22 in
// proc(5). The second field is the program's name in parentheses and may hold anything.
func parseStat(line string) (state string, start uint64, err error) {
	end := strings.LastIndexByte(line, ')')
	if end < 0 {
		return "", 0, fmt.Errorf("process line %q has no program name", line)
	}
	fields := strings.Fields(line[end+1:])
	if len(fields) < 20 {
		return "", 0, fmt.Errorf("process line %q has %d fields after the name, want 20 at least", line, len(fields))
	}
	start, err = strconv.ParseUint(fields[19], 10, 64)
	if err != nil {
		return "", 0, fmt.Errorf("start time in process line %q: %w", line, err)
	}
	return fields[0], start, nil
}

// Alive says whether the very process that i names still runs.
func (i Identity) Alive() bool {
	now, err := identify(i.PID)
	return err == nil && now == i
}

// kill ends the process that i names, and no other, and waits until it is gone.
func (i Identity) kill(within time.Duration) error {
	// The handle is taken before the identity is checked: it keeps meaning the same process even if
	// the PID is given to another one in between.
	handle, err := os.FindProcess(i.PID)
	if err != nil || !i.Alive() {
		return nil
	}
	defer func() { _ = handle.Release() }()
	if err := handle.Signal(syscall.SIGKILL); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("ending process %d: %w", i.PID, err)
	}
	if !i.awaitEnd(within) {
		return fmt.Errorf("process %d is still there %s after SIGKILL: look at /proc/%d/stack for what it waits for", i.PID, within, i.PID)
	}
	return nil
}

// awaitEnd says whether the process ends within a duration.
func (i Identity) awaitEnd(within time.Duration) bool {
	look := time.NewTicker(10 * time.Millisecond)
	defer look.Stop()
	for deadline := time.Now().Add(within); i.Alive(); <-look.C {
		if time.Now().After(deadline) {
			return false
		}
	}
	return true
}

func readIdentity(path string) (Identity, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return Identity{}, fmt.Errorf("reading which process is the sandbox's init: %w", err)
	}
	var identity Identity
	if err := json.Unmarshal(content, &identity); err != nil {
		return Identity{}, fmt.Errorf("decoding %s: %w", path, err)
	}
	return identity, nil
}

func (i Identity) write(path string) error {
	content, err := json.Marshal(i)
	if err != nil {
		return fmt.Errorf("encoding the identity of process %d: %w", i.PID, err)
	}
	if err := os.WriteFile(path, content, 0o600); err != nil {
		return fmt.Errorf("recording process %d: %w", i.PID, err)
	}
	return nil
}
