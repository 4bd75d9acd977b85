package contender

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
)

// process is a program that runs, and the children that it made.
type process struct {
	command *exec.Cmd
	log     string
	exited  chan struct{} // closed when the process has ended, endedBy set
	endedBy error
}

// Launch starts a program in a process group of its own. It ends with this process at the latest.
func launch(log, binary string, args ...string) (*process, error) {
	file, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("making the log: %w", err)
	}
	defer file.Close()
	p := &process{command: exec.Command(binary, args...), log: log, exited: make(chan struct{})}
	p.command.Stdout, p.command.Stderr = file, file
	p.command.Env = append(os.Environ(), "OTEL_TRACES_EXPORTER=none") // or distribution complains of each span
	p.command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	if err := p.command.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", binary, err)
	}
	go func() {
		defer close(p.exited)
		p.endedBy = p.command.Wait()
	}()
	return p, nil
}

// Ended says how the process came to its end, with what it logged; nil while it runs.
func (p *process) Ended() error {
	select {
	case <-p.exited:
		logged, _ := os.ReadFile(p.log)
		return fmt.Errorf("%s ended (%w): %s", p.command.Path, p.endedBy, logged)
	default:
		return nil
	}
}

// Stop ends the process and its children, as an administrator would, and waits.
func (p *process) Stop() error { return p.signal(syscall.SIGTERM) }

// Kill ends the process and its children at once.
func (p *process) Kill() error { return p.signal(syscall.SIGKILL) }

func (p *process) signal(signal syscall.Signal) error {
	if p == nil {
		return nil
	}
	if err := syscall.Kill(-p.command.Process.Pid, signal); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("ending %s: %w", p.command.Path, err)
	}
	<-p.exited
	return nil
}
