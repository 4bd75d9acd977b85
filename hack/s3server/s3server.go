// Package s3server runs a real S3 server for tests: versitygw, built from the Go module proxy, over a directory, on
// loopback.
package s3server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/registryhub/registryhub/hack/cluster/assets"
)

// Credentials of every server's one user, and the region that it says it is in.
const (
	AccessKeyID     = "registryhub"
	SecretAccessKey = "registryhub-secret"
	Region          = "us-east-1"
)

// startTimeout is how long the server may take until it answers.
const startTimeout = 30 * time.Second

// Options say where a server runs.
type Options struct {
	// Directory for its data and its log. It must exist, on a file system with extended attributes.
	Directory string
	// Address that it listens on, host:port. Default: a free port on loopback.
	Address string
}

// Server is a running S3 server.
type Server struct {
	// Address that it listens on, host:port, plain HTTP.
	Address string

	data    string
	process *exec.Cmd
	exited  chan struct{} // closed when the process has ended, endedBy set
	endedBy error
	logFile string
}

// Start builds the server, unless the cache of the tests has it, starts it and waits until it answers. The context bounds
// the start alone; Stop ends the server.
func Start(ctx context.Context, options Options) (*Server, error) {
	cache, err := assets.Find(func(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) })
	if err != nil {
		return nil, err
	}
	binary, err := cache.S3(ctx)
	if err != nil {
		return nil, err
	}
	if options.Address == "" {
		if options.Address, err = freeAddress(ctx); err != nil {
			return nil, err
		}
	}
	s := &Server{
		Address: options.Address, data: filepath.Join(options.Directory, "data"), logFile: filepath.Join(options.Directory, "versitygw.log"),
		exited: make(chan struct{}),
	}
	if err := s.run(binary); err != nil {
		return nil, err
	}
	if err := s.awaitAnswer(ctx); err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	return s, nil
}

// WriteKeys writes the keys into a directory, in the files that a Secret of them is mounted as.
func WriteKeys(directory string) error {
	for name, value := range map[string]string{"AWS_ACCESS_KEY_ID": AccessKeyID, "AWS_SECRET_ACCESS_KEY": SecretAccessKey} {
		if err := os.WriteFile(filepath.Join(directory, name), []byte(value), 0o600); err != nil {
			return fmt.Errorf("writing the keys of the S3 server: %w", err)
		}
	}
	return nil
}

// Endpoint is the server's URL.
func (s *Server) Endpoint() string { return "http://" + s.Address }

// MakeBucket makes an empty bucket. It may be made while the server runs.
func (s *Server) MakeBucket(name string) error {
	if err := os.Mkdir(s.File(name, ""), 0o755); err != nil {
		return fmt.Errorf("making the bucket %s: %w", name, err)
	}
	return nil
}

// File is where an object of a bucket lies: what happens to the file happens to the object.
func (s *Server) File(bucket, key string) string { return filepath.Join(s.data, bucket, key) }

// Pause has the server answer nothing, while its connections stay, until Resume. It returns when that is so.
func (s *Server) Pause(ctx context.Context) error {
	if err := s.process.Process.Signal(syscall.SIGSTOP); err != nil {
		return fmt.Errorf("pausing the S3 server: %w", err)
	}
	for answers(ctx, s.Endpoint()) { // its threads do not stop at once
	}
	return ctx.Err()
}

// Resume ends a Pause.
func (s *Server) Resume() error { return s.process.Process.Signal(syscall.SIGCONT) }

// Stop ends the server. The data stays in its directory.
func (s *Server) Stop() error {
	if err := s.process.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("ending the S3 server: %w", err)
	}
	<-s.exited
	return nil
}

func (s *Server) run(binary string) error {
	if err := os.MkdirAll(s.data, 0o755); err != nil {
		return fmt.Errorf("making the S3 server's directory: %w", err)
	}
	log, err := os.Create(s.logFile)
	if err != nil {
		return fmt.Errorf("making the S3 server's log: %w", err)
	}
	defer log.Close()
	s.process = exec.Command(binary, "--port", s.Address, "--region", Region, "--keep-alive", "posix", s.data)
	s.process.Env = append(os.Environ(), "ROOT_ACCESS_KEY_ID="+AccessKeyID, "ROOT_SECRET_ACCESS_KEY="+SecretAccessKey)
	s.process.Stdout, s.process.Stderr = log, log
	s.process.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := s.process.Start(); err != nil {
		return fmt.Errorf("starting the S3 server %s: %w", binary, err)
	}
	go func() {
		defer close(s.exited)
		s.endedBy = s.process.Wait()
	}()
	return nil
}

func (s *Server) awaitAnswer(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		if answers(ctx, s.Endpoint()) {
			return nil
		}
		select {
		case <-s.exited:
			return fmt.Errorf("the S3 server ended before it answered (%w): see %s", s.endedBy, s.logFile)
		case <-ctx.Done():
			return fmt.Errorf("the S3 server did not answer within %s: see %s", startTimeout, s.logFile)
		case <-tick.C:
		}
	}
}

// answers reports whether anything answers: without a signature that is a refusal.
func answers(ctx context.Context, url string) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return false
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: time.Second}
	response, err := client.Do(request)
	return err == nil && response.Body.Close() == nil
}

func freeAddress(ctx context.Context) (string, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("finding a free port on loopback: %w", err)
	}
	return listener.Addr().String(), listener.Close()
}
