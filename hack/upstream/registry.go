// Package upstream runs a real registry to pull from, for the demo and the end-to-end tests: distribution's, from
// Debian, on loopback, behind a front that speaks TLS and keeps a record of who asked for what.
package upstream

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// startTimeout is how long the registry may take until it answers.
const startTimeout = 30 * time.Second

// Options say where an upstream runs.
type Options struct {
	// Directory for the registry's data, its configuration and its log. It must exist.
	Directory string
	// CacheDirectory keeps the registry's binary between runs.
	CacheDirectory string
	// Address that the front listens on, host:port.
	Address string
	// Certificate of the front.
	Certificate tls.Certificate
}

// Registry is a running upstream. Push to PushURL, pull through the front.
type Registry struct {
	// PushAddress is the registry's own address on loopback, host:port, plain HTTP, not recorded.
	PushAddress string

	front   *front
	process *exec.Cmd
	exited  chan struct{} // closed when the process has ended, endedBy set
	endedBy error
	logFile string
}

// Start starts the registry and its front, and waits until both answer. The context bounds the start alone; Stop
// ends the registry.
func Start(ctx context.Context, options Options) (*Registry, error) {
	binary, err := findBinary(ctx, options.CacheDirectory)
	if err != nil {
		return nil, err
	}
	address, err := freeAddress(ctx)
	if err != nil {
		return nil, err
	}
	registry := &Registry{PushAddress: address, exited: make(chan struct{}), logFile: filepath.Join(options.Directory, "registry.log")}
	if err := registry.run(binary, options.Directory); err != nil {
		return nil, err
	}
	if err := registry.awaitAnswer(ctx); err != nil {
		return nil, errors.Join(err, registry.Stop())
	}
	registry.front = newFront(options.Address, address, options.Certificate)
	if err := registry.front.up(ctx); err != nil {
		return nil, errors.Join(err, registry.Stop())
	}
	return registry, nil
}

// Stop ends the front and the registry. The data stays in its directory.
func (r *Registry) Stop() error {
	var errs []error
	if r.front != nil {
		errs = append(errs, r.front.down())
	}
	if err := r.process.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		errs = append(errs, fmt.Errorf("ending the upstream registry: %w", err))
	}
	<-r.exited
	return errors.Join(errs...)
}

// Down makes the upstream refuse connections, and cuts those that are open. Up brings it back.
func (r *Registry) Down() error { return r.front.down() }

// Up brings the upstream back at the same address after Down.
func (r *Registry) Up(ctx context.Context) error { return r.front.up(ctx) }

// Requests are the requests that the front has answered so far, in the order of their answers.
func (r *Registry) Requests() []Request { return r.front.requests() }

// Forget empties the record of requests.
func (r *Registry) Forget() { r.front.forget() }

func (r *Registry) run(binary, directory string) error {
	configuration := filepath.Join(directory, "registry.yaml")
	text := fmt.Sprintf("version: 0.1\nlog: {level: warn}\nstorage:\n  filesystem: {rootdirectory: %q}\nhttp: {addr: %q}\n",
		filepath.Join(directory, "data"), r.PushAddress)
	if err := os.WriteFile(configuration, []byte(text), 0o600); err != nil {
		return fmt.Errorf("writing the upstream registry's configuration: %w", err)
	}
	log, err := os.Create(r.logFile)
	if err != nil {
		return fmt.Errorf("making the upstream registry's log: %w", err)
	}
	defer log.Close()
	r.process = exec.Command(binary, "serve", configuration)
	r.process.Stdout, r.process.Stderr = log, log
	r.process.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	if err := r.process.Start(); err != nil {
		return fmt.Errorf("starting the upstream registry %s: %w", binary, err)
	}
	go func() {
		defer close(r.exited)
		r.endedBy = r.process.Wait()
	}()
	return nil
}

func (r *Registry) awaitAnswer(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		if answers(ctx, "http://"+r.PushAddress+"/v2/") {
			return nil
		}
		select {
		case <-r.exited:
			return fmt.Errorf("the upstream registry ended before it answered (%w): see %s", r.endedBy, r.logFile)
		case <-ctx.Done():
			return fmt.Errorf("the upstream registry did not answer within %s: see %s", startTimeout, r.logFile)
		case <-tick.C:
		}
	}
}

func answers(ctx context.Context, url string) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return false
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: time.Second}
	response, err := client.Do(request)
	if err != nil {
		return false
	}
	return response.Body.Close() == nil && response.StatusCode == http.StatusOK
}

func freeAddress(ctx context.Context) (string, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("finding a free port on loopback: %w", err)
	}
	return listener.Addr().String(), listener.Close()
}
