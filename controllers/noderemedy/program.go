package noderemedy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// defaultConfig is what containerd reads when it is told nothing else.
const defaultConfig = "/etc/containerd/config.toml"

// dumpWithin bounds what takes a tenth of a second.
const dumpWithin = 30 * time.Second

// Program is a containerd that runs.
type Program struct {
	PID int
	// Path is what the next start runs, and Config the main configuration file that it was started with.
	Path, Config string
}

// FindProgram finds the containerd that listens at a socket.
func FindProgram(ctx context.Context, socket string) (Program, error) {
	pid, err := listenerOf(ctx, socket)
	if err != nil {
		return Program{}, fmt.Errorf("finding who listens at %s: %w", socket, err)
	}
	path, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
	if err != nil {
		return Program{}, fmt.Errorf("finding containerd's program: %w", err)
	}
	arguments, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil {
		return Program{}, fmt.Errorf("finding containerd's arguments: %w", err)
	}
	return Program{
		PID:    pid,
		Path:   strings.TrimSuffix(path, " (deleted)"), // an upgrade has replaced it, and the next start runs the new one
		Config: configOf(strings.Split(strings.TrimRight(string(arguments), "\x00"), "\x00")),
	}, nil
}

// listenerOf is the process that listens at a socket, which the kernel tells who connects to it.
func listenerOf(ctx context.Context, socket string) (int, error) {
	connection, err := (&net.Dialer{}).DialContext(ctx, "unix", socket)
	if err != nil {
		return 0, err
	}
	defer func() { _ = connection.Close() }()
	raw, err := connection.(*net.UnixConn).SyscallConn()
	if err != nil {
		return 0, err
	}
	var peer *syscall.Ucred
	var peerErr error
	err = raw.Control(func(fd uintptr) {
		peer, peerErr = syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED)
	})
	switch {
	case err != nil:
		return 0, err
	case peerErr != nil:
		return 0, peerErr
	case peer.Pid == 0:
		return 0, errors.New("its process is not visible from here: run in the node's process namespace (hostPID)")
	}
	return int(peer.Pid), nil
}

// configOf is the file that containerd's arguments name.
func configOf(arguments []string) string {
	for i, argument := range arguments {
		name, value, hasValue := strings.Cut(argument, "=")
		if name = strings.TrimLeft(name, "-"); !strings.HasPrefix(argument, "-") || name != "c" && name != "config" {
			continue
		}
		if hasValue {
			return value
		}
		if i+1 < len(arguments) {
			return arguments[i+1]
		}
	}
	return defaultConfig
}

// Dump runs `containerd config dump`, which loads a configuration as a start would, and starts nothing.
func (p Program) Dump(ctx context.Context, file string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, dumpWithin)
	defer cancel()
	cmd := exec.CommandContext(ctx, p.Path, "--config", file, "config", "dump")
	cmd.Dir = "/" // as systemd starts it
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	dump, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("running %s config dump with %s: %w: %s", p.Path, file, err, ending(complaints.Bytes()))
	}
	return dump, nil
}

// ending is the last of what a program said.
func ending(text []byte) []byte {
	const most = 512
	text = bytes.TrimSpace(text)
	return text[max(0, len(text)-most):]
}
