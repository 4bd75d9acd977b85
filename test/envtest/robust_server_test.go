package envtest

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

// apiServer is the API server of an environment, which can be killed. To stop it as envtest does takes minutes: it waits for
// the watches of its clients to end.
type apiServer struct {
	*envtest.APIServer

	directory string
}

// makeMortal has an environment that is not started yet note its API server's process, and keep its certificates in a folder
// where the next one finds them.
func makeMortal(environment *envtest.Environment) (*apiServer, error) {
	directory, err := os.MkdirTemp("", "registryhub-apiserver-")
	if err != nil {
		return nil, fmt.Errorf("making a folder for the API server: %w", err)
	}
	s := &apiServer{APIServer: environment.ControlPlane.GetAPIServer(), directory: directory}
	s.CertDir, s.Path = directory, filepath.Join(directory, "kube-apiserver")
	s.StartTimeout = time.Minute
	program := filepath.Join(os.Getenv("KUBEBUILDER_ASSETS"), "kube-apiserver")
	script := fmt.Sprintf("#!/bin/sh\necho $$ > '%s'\nexec '%s' \"$@\"\n", s.pidFile(), program)
	if err := os.WriteFile(s.Path, []byte(script), 0o700); err != nil {
		return nil, fmt.Errorf("writing what starts the API server: %w", err)
	}
	return s, nil
}

func (s *apiServer) pidFile() string { return filepath.Join(s.directory, "pid") }

func (s *apiServer) remove() error { return os.RemoveAll(s.directory) }

// kill kills the API server, and returns when nobody listens where it did.
func (s *apiServer) kill() error {
	text, err := os.ReadFile(s.pidFile())
	if err != nil {
		return fmt.Errorf("reading the API server's process id: %w", err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return fmt.Errorf("reading the API server's process id: %w", err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		return fmt.Errorf("killing the API server, process %d: %w", pid, err)
	}
	for s.listens() {
		runtime.Gosched()
	}
	return nil
}

func (s *apiServer) listens() bool {
	connection, err := net.Dial("tcp", s.HostPort())
	if err == nil {
		_ = connection.Close()
	}
	return err == nil
}

// restartAPIServer kills the API server, and starts it again.
func (w *world) restartAPIServer() {
	w.t.Helper()
	w.Expect(server.kill()).To(Succeed())
	w.Expect(server.Start()).To(Succeed())
}
