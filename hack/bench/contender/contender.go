// Package contender starts what is compared: our proxy, and what a user would otherwise run, each as its own processes with a
// configuration as a user would write it.
package contender

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/registryhub/registryhub/hack/bench/client"
	"github.com/registryhub/registryhub/hack/cluster/pki"
)

// The names of the contenders.
const (
	Ours         = "RegistryHub"
	Distribution = "distribution"
	ProxyCache   = "nginx proxy_cache"
	Static       = "nginx static"
	// Direct is the upstream itself, asked without anything between.
	Direct = "direct"
)

// BucketName is that of the bucket in a Place.
const BucketName = "bench"

// ready is how long a contender may take until it answers.
const ready = 30 * time.Second

// Programs are the binaries of the contenders.
type Programs struct {
	RegistryHub, Distribution, Nginx string
}

// Place is what a contender runs with.
type Place struct {
	Programs Programs
	// Directory for its cache, its configuration and its log. It must exist.
	Directory string
	// Upstream is the address of the synthetic upstream.
	Upstream string
	// Tree is the directory of what the upstream serves.
	Tree string
	// TLS has clients served over it, with a certificate that is made for it.
	TLS bool
	// Push makes it a registry that anybody may push to, and not a cache.
	Push bool
	// Bucket is the URL of an S3 server of hack/s3server whose bucket BucketName what is pushed is kept in. Default: none, and a
	// directory.
	Bucket string
	// Authority issues it. Default: one that is made for it.
	Authority *pki.Authority
	// IP of loopback to listen at. Default: 127.0.0.1.
	IP string
}

// Server is a contender that runs.
type Server struct {
	client.Puller
	*process

	place   Place
	hashes  bool
	command func() (string, []string)
}

// Start starts a contender on a free port and waits until it answers. Direct is no process: it has the upstream's address.
func Start(ctx context.Context, name string, place Place) (*Server, error) {
	if name == Direct {
		return &Server{Puller: client.Puller{Address: place.Upstream}}, nil
	}
	place.IP = cmp.Or(place.IP, loopback)
	address, err := freeAddress(ctx, place.IP)
	if err != nil {
		return nil, err
	}
	server := &Server{Puller: client.Puller{Address: address}, place: place, hashes: name == Ours || name == Distribution}
	if place.TLS {
		server.Roots, err = server.makeCertificate()
	}
	if err == nil {
		err = server.prepare(ctx, name)
	}
	if err == nil {
		_, err = server.Restart(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	return server, nil
}

// prepare writes what a contender is configured with.
func (s *Server) prepare(ctx context.Context, name string) error {
	switch name {
	case Ours:
		return s.ours(ctx)
	case Distribution:
		return s.distribution()
	case ProxyCache:
		return s.nginx(proxyCache(s))
	case Static:
		return s.nginx(static(s))
	default:
		return fmt.Errorf("there is no contender %q", name)
	}
}

// Restart starts the contender again in the same place, when it has ended, and returns how long it took until it answered.
func (s *Server) Restart(ctx context.Context) (time.Duration, error) {
	return s.RestartUntil(ctx, "/v2/")
}

// RestartUntil is Restart, but waits for the answer 200 to one target.
func (s *Server) RestartUntil(ctx context.Context, target string) (time.Duration, error) {
	binary, args := s.command()
	began := time.Now()
	var err error
	if s.process, err = launch(filepath.Join(s.place.Directory, "log"), binary, args...); err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, ready)
	defer cancel()
	tick := time.NewTicker(500 * time.Microsecond)
	defer tick.Stop()
	for {
		if _, err = s.Ask(ctx, client.Request{Target: target}); err == nil {
			return time.Since(began), nil
		}
		select {
		case <-s.exited:
			return 0, fmt.Errorf("it ended (%w): see %s", s.endedBy, s.log)
		case <-ctx.Done():
			return 0, fmt.Errorf("it did not answer within %s (%w): see %s", ready, err, s.log)
		case <-tick.C:
		}
	}
}

// configure writes a file into the place and returns its path.
func (s *Server) configure(name, text string) (string, error) {
	path := filepath.Join(s.place.Directory, name)
	return path, os.WriteFile(path, []byte(text), 0o644)
}

func (s *Server) cache() string { return filepath.Join(s.place.Directory, "cache") }

const loopback = "127.0.0.1"

// FreeAddress is host:port on loopback, with a port that nobody listens on.
func FreeAddress(ctx context.Context) (string, error) { return freeAddress(ctx, loopback) }

func freeAddress(ctx context.Context, ip string) (string, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", net.JoinHostPort(ip, "0"))
	if err != nil {
		return "", fmt.Errorf("finding a free port on loopback: %w", err)
	}
	return listener.Addr().String(), listener.Close()
}

// Hashes says that the contender verifies what it fetches.
func (s *Server) Hashes() bool { return s.hashes }
