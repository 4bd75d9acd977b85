package sandbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// killTimeout is ample: the kernel ends all processes of a PID namespace at once.
const killTimeout = 30 * time.Second

// Sandbox is a sandbox seen from outside. Its folder holds what is known of it.
type Sandbox struct {
	// Name is the sandbox's name.
	Name string
	// Dir is the sandbox's folder.
	Dir string
}

func (s Sandbox) identityFile() string { return filepath.Join(s.Dir, "init.json") }

func (s Sandbox) initLog() string { return filepath.Join(s.Dir, "init.log") }

// Socket is where the sandbox's init listens.
func (s Sandbox) Socket() string { return filepath.Join(s.Dir, "init.sock") }

// Launch starts the sandbox's init by running self, the program that calls [Init], with args, and
// returns when the init is ready for processes.
func (s Sandbox) Launch(ctx context.Context, config Config, self string, args ...string) error {
	encoded, err := json.Marshal(config)
	if err != nil {
		return fmt.Errorf("encoding what sandbox %s is to be: %w", s.Name, err)
	}
	// The init outlives this program, and so ctx.
	command := exec.CommandContext(context.WithoutCancel(ctx), self, args...)
	command.SysProcAttr = &syscall.SysProcAttr{
		Setsid:     true,
		Cloneflags: syscall.CLONE_NEWPID | syscall.CLONE_NEWNS | syscall.CLONE_NEWNET | syscall.CLONE_NEWUTS | syscall.CLONE_NEWIPC,
	}
	// Of an init before it, which was killed; a new one cannot listen where that did.
	if err := os.Remove(s.Socket()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("starting sandbox %s: %w", s.Name, err)
	}
	if err := s.begin(command, encoded); err != nil {
		return fmt.Errorf("starting sandbox %s: %w", s.Name, err)
	}
	if err := s.awaitInit(ctx); err != nil {
		return fmt.Errorf("starting sandbox %s: %w", s.Name, err)
	}
	return nil
}

// begin starts command, records it, and only then gives it its configuration: an init that nobody
// knows of ends by itself.
func (s Sandbox) begin(command *exec.Cmd, config []byte) error {
	log, err := openLog(s.initLog())
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	command.Stdout, command.Stderr = log, log
	input, err := command.StdinPipe()
	if err != nil {
		return fmt.Errorf("making its input: %w", err)
	}
	if err := command.Start(); err != nil {
		return err
	}
	// Collected here, or it would stay a zombie for as long as this program runs.
	go func() { _ = command.Wait() }()
	identity, err := identify(command.Process.Pid)
	if err != nil {
		return err
	}
	if err := identity.write(s.identityFile()); err != nil {
		return errors.Join(err, identity.kill(killTimeout))
	}
	_, writeErr := input.Write(config)
	return errors.Join(writeErr, input.Close())
}

func (s Sandbox) awaitInit(ctx context.Context) error {
	for {
		if _, err := s.States(ctx); err == nil {
			return nil
		}
		if !s.Alive() {
			log, _ := os.ReadFile(s.initLog())
			return fmt.Errorf("its init ended: %s", log)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for its init: %w", ctx.Err())
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// PID is the process that holds the sandbox's namespaces.
func (s Sandbox) PID() (int, error) {
	identity, err := readIdentity(s.identityFile())
	if err != nil {
		return 0, err
	}
	if !identity.Alive() {
		return 0, fmt.Errorf("sandbox %s is not running", s.Name)
	}
	return identity.PID, nil
}

// Alive says whether the sandbox's init runs.
func (s Sandbox) Alive() bool {
	_, err := s.PID()
	return err == nil
}

// End ends every process of the sandbox. It is fine to end one that has ended.
func (s Sandbox) End() error {
	identity, err := readIdentity(s.identityFile())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := identity.kill(killTimeout); err != nil {
		return fmt.Errorf("ending sandbox %s: %w", s.Name, err)
	}
	return nil
}

// Start runs p in the sandbox, unless a process of that name runs there.
func (s Sandbox) Start(ctx context.Context, p Process) error {
	_, err := s.ask(ctx, request{Start: &p})
	return err
}

// Stop ends the process called name.
func (s Sandbox) Stop(ctx context.Context, name string) error {
	_, err := s.ask(ctx, request{Stop: name})
	return err
}

// States says how the sandbox's processes are doing.
func (s Sandbox) States(ctx context.Context) ([]State, error) {
	return s.ask(ctx, request{})
}

func (s Sandbox) ask(ctx context.Context, asked request) ([]State, error) {
	var dialer net.Dialer
	connection, err := dialer.DialContext(ctx, "unix", s.Socket())
	if err != nil {
		return nil, fmt.Errorf("reaching the init of sandbox %s: %w", s.Name, err)
	}
	defer func() { _ = connection.Close() }()
	stop := context.AfterFunc(ctx, func() { _ = connection.Close() })
	defer stop()
	if err := json.NewEncoder(connection).Encode(asked); err != nil {
		return nil, fmt.Errorf("asking the init of sandbox %s: %w", s.Name, err)
	}
	var answered response
	if err := json.NewDecoder(connection).Decode(&answered); err != nil {
		return nil, fmt.Errorf("reading the answer of the init of sandbox %s: %w", s.Name, err)
	}
	if answered.Error != "" {
		return nil, fmt.Errorf("sandbox %s: %s", s.Name, answered.Error)
	}
	return answered.States, nil
}

// Command returns a command that runs args inside the sandbox.
func (s Sandbox) Command(ctx context.Context, path string, args ...string) (*exec.Cmd, error) {
	pid, err := s.PID()
	if err != nil {
		return nil, err
	}
	command := exec.CommandContext(ctx, "nsenter", "--target", strconv.Itoa(pid), "--mount", "--net", "--pid", "--uts", "--ipc", "--wd=/", "--")
	command.Args = append(command.Args, args...)
	command.Env = []string{"PATH=" + path, "HOME=/root", "TERM=" + os.Getenv("TERM")}
	return command, nil
}

// NetCommand returns a command that runs args with the machine's files and processes, but in the
// sandbox's network.
func (s Sandbox) NetCommand(ctx context.Context, args ...string) (*exec.Cmd, error) {
	pid, err := s.PID()
	if err != nil {
		return nil, err
	}
	command := exec.CommandContext(ctx, "nsenter", "--target", strconv.Itoa(pid), "--net", "--")
	command.Args = append(command.Args, args...)
	return command, nil
}
