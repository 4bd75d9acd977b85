package sandbox

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
)

// Init is the life of a sandbox's PID 1. It reads its [Config] from in, sets the sandbox up and then
// serves requests until it is killed or ctx ends. It must run in the new namespaces that [Sandbox.Launch]
// makes.
func Init(ctx context.Context, in io.Reader) error {
	var config Config
	// An end of the input before the configuration means that the launcher died: then so does init,
	// before it is anything that would have to be found and cleaned up.
	if err := json.NewDecoder(in).Decode(&config); err != nil {
		return fmt.Errorf("reading what the sandbox is to be: %w", err)
	}
	// Before the mounts, which may cover the socket's folder.
	listener, err := new(net.ListenConfig).Listen(ctx, "unix", config.Socket)
	if err != nil {
		return fmt.Errorf("listening for the cluster command: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { _ = listener.Close() })
	defer stop()
	if err := config.apply(); err != nil {
		return err
	}
	supervisor := newSupervisor()
	go supervisor.reapForever()
	return serve(listener, supervisor)
}

func (c Config) apply() error {
	if err := os.Setenv("PATH", c.Path); err != nil {
		return fmt.Errorf("setting PATH: %w", err)
	}
	if err := syscall.Sethostname([]byte(c.Hostname)); err != nil {
		return fmt.Errorf("setting the host name: %w", err)
	}
	if err := isolateMounts(); err != nil {
		return err
	}
	for _, mount := range c.Mounts {
		if err := mount.make(); err != nil {
			return fmt.Errorf("mounting over %s: %w", mount.Target, err)
		}
	}
	for file, value := range c.Sysctls {
		if err := os.WriteFile(filepath.Join("/proc/sys", file), []byte(value), 0o644); err != nil {
			return fmt.Errorf("setting the kernel parameter %s: %w", file, err)
		}
	}
	return nil
}

func (s *supervisor) reapForever() {
	children := make(chan os.Signal, 1)
	signal.Notify(children, syscall.SIGCHLD)
	for {
		s.reap()
		<-children
	}
}

// request asks a sandbox's init for one thing; the fields that are set say which.
type request struct {
	Start *Process `json:",omitempty"`
	Stop  string   `json:",omitempty"`
}

// response answers a request; States is always there.
type response struct {
	Error  string `json:",omitempty"`
	States []State
}

func serve(listener net.Listener, supervisor *supervisor) error {
	for {
		connection, err := listener.Accept()
		if err != nil {
			return fmt.Errorf("accepting the cluster command: %w", err)
		}
		go answer(connection, supervisor)
	}
}

// answer serves one connection. Errors on the connection end it; the other side sees that.
func answer(connection net.Conn, supervisor *supervisor) {
	defer func() { _ = connection.Close() }()
	var asked request
	if err := json.NewDecoder(connection).Decode(&asked); err != nil {
		return
	}
	var failure string
	if err := supervisor.do(asked); err != nil {
		failure = err.Error()
	}
	_ = json.NewEncoder(connection).Encode(response{Error: failure, States: supervisor.states()})
}

func (s *supervisor) do(asked request) error {
	switch {
	case asked.Start != nil:
		return s.start(*asked.Start)
	case asked.Stop != "":
		return s.stop(asked.Stop)
	default:
		return nil
	}
}
