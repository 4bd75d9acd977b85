package sandbox

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"sync"
	"syscall"
	"time"
)

// stopGrace is how long a process has after SIGTERM.
const stopGrace = 10 * time.Second

// supervisor starts processes and reaps everything that ends, its own processes and orphans alike: it
// is PID 1 of its namespace.
type supervisor struct {
	mu        sync.Mutex
	processes map[string]*process
}

type process struct {
	pid    int
	done   chan struct{}
	status syscall.WaitStatus
}

func newSupervisor() *supervisor {
	return &supervisor{processes: map[string]*process{}}
}

// start runs p, unless a process of that name runs already.
func (s *supervisor) start(p Process) error {
	// Held across the start, so that reap cannot take the process away before it is known.
	s.mu.Lock()
	defer s.mu.Unlock()
	if known, found := s.processes[p.Name]; found && known.running() {
		return nil
	}
	started, err := spawn(p)
	if err != nil {
		return fmt.Errorf("starting %s: %w", p.Name, err)
	}
	s.processes[p.Name] = &process{pid: started, done: make(chan struct{})}
	return nil
}

func spawn(p Process) (int, error) {
	if len(p.Args) == 0 {
		return 0, errors.New("no program given")
	}
	program, err := exec.LookPath(p.Args[0])
	if err != nil {
		return 0, fmt.Errorf("looking for the program: %w", err)
	}
	log, err := openLog(p.Log)
	if err != nil {
		return 0, err
	}
	defer func() { _ = log.Close() }()
	null, err := os.Open(os.DevNull)
	if err != nil {
		return 0, fmt.Errorf("opening an empty input: %w", err)
	}
	defer func() { _ = null.Close() }()
	started, err := os.StartProcess(program, p.Args, &os.ProcAttr{
		Dir:   "/",
		Env:   append([]string{"PATH=" + os.Getenv("PATH"), "HOME=/root"}, p.Env...),
		Files: []*os.File{null, log, log},
		Sys:   &syscall.SysProcAttr{Setsid: true},
	})
	if err != nil {
		return 0, fmt.Errorf("running %s: %w", program, err)
	}
	pid := started.Pid
	return pid, started.Release()
}

func openLog(path string) (*os.File, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("making the log's folder: %w", err)
	}
	log, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("opening the log: %w", err)
	}
	return log, nil
}

// stop ends the process called name: SIGTERM, and SIGKILL if it takes its time.
func (s *supervisor) stop(name string) error {
	s.mu.Lock()
	known, found := s.processes[name]
	s.mu.Unlock()
	if !found {
		return fmt.Errorf("no process is called %s", name)
	}
	for _, step := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		if s.signal(known, step) {
			return nil
		}
	}
	return fmt.Errorf("%s is still there %s after SIGKILL", name, stopGrace)
}

// signal sends sig to p and says whether p ended within the grace.
func (s *supervisor) signal(p *process, sig syscall.Signal) bool {
	s.mu.Lock()
	// Under the lock the PID cannot have been reaped, and so not given to another process.
	if p.running() {
		_ = syscall.Kill(p.pid, sig)
	}
	s.mu.Unlock()
	select {
	case <-p.done:
		return true
	case <-time.After(stopGrace):
		return false
	}
}

// reap collects every process that has ended by now.
func (s *supervisor) reap() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, syscall.WNOHANG, nil)
		if err == syscall.EINTR {
			continue
		}
		if err != nil || pid <= 0 {
			return
		}
		s.ended(pid, status)
	}
}

func (s *supervisor) ended(pid int, status syscall.WaitStatus) {
	for _, known := range s.processes {
		if known.pid == pid && known.running() {
			known.status = status
			close(known.done)
		}
	}
}

// states returns how each process is doing, sorted by name.
func (s *supervisor) states() []State {
	s.mu.Lock()
	defer s.mu.Unlock()
	states := make([]State, 0, len(s.processes))
	for name, known := range s.processes {
		states = append(states, State{Name: name, Running: known.running(), Ended: known.ending()})
	}
	sort.Slice(states, func(i, j int) bool { return states[i].Name < states[j].Name })
	return states
}

func (p *process) running() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

func (p *process) ending() string {
	switch {
	case p.running():
		return ""
	case p.status.Signaled():
		return "signal: " + p.status.Signal().String()
	default:
		return fmt.Sprintf("exit code %d", p.status.ExitStatus())
	}
}
