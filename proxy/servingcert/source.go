// Package servingcert is what a server shows its clients, and which certificates of theirs it takes: files that are followed
// while the server runs.
package servingcert

import (
	"context"
	"crypto/tls"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"

	config "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/proxy/configfile"
	"github.com/registryhub/registryhub/proxy/metrics"
	"github.com/registryhub/registryhub/proxy/secretfile"
)

// Options of a Source. Logger, Metrics and TLS are required.
type Options struct {
	// Hub is the hub's name, for logs.
	Hub string
	// TLS names the files.
	TLS config.ListenTLS
	// Every is how often the files are looked at whatever the kernel tells. Default: configfile.Every.
	Every   time.Duration
	Logger  logr.Logger
	Metrics *metrics.Metrics
}

// Source is what the files hold, or last held when they could be used.
type Source struct {
	Options
	files   files
	inForce atomic.Pointer[tls.Config]

	mu       sync.Mutex
	seen     secretfile.Versions
	notAfter time.Time
	expired  bool // that it has expired was told
}

// New reads the files, of which the metrics are told by Announce. Errors are *secretfile.Error: without a certificate nothing
// can be served, and without the CAs of clients nobody may be.
func New(options Options) (*Source, error) {
	s := &Source{Options: options, files: files{options.TLS}}
	s.seen = s.files.look()
	if err := s.take(); err != nil {
		return nil, fmt.Errorf("reading what the registry API is served with: %w", err)
	}
	return s, nil
}

// Announce tells the metrics of the certificate, which is served with from now on.
func (s *Source) Announce() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.Metrics.CertificateServed(s.notAfter)
}

// Config is for a server. Each handshake is made with what is in force when it begins.
func (s *Source) Config() *tls.Config {
	served := base()
	served.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) { return s.inForce.Load(), nil }
	return served
}

// Run follows the files until the context ends.
func (s *Source) Run(ctx context.Context) {
	var running sync.WaitGroup
	defer running.Wait()
	for _, file := range s.files.followed() {
		follower := configfile.New(configfile.Options{File: file, Every: s.Every, Logger: s.Logger})
		running.Go(func() { follower.Run(ctx, func() { s.look(time.Now()) }) })
	}
}

// look takes changed files, or keeps what is in force when they cannot be used: a certificate that is about to expire is
// better than none, and the CAs of before let nobody in whom nobody trusted.
func (s *Source) look(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.tellExpired(now)
	current := s.files.look()
	if current.Same(s.seen) {
		return
	}
	s.seen = current
	if err := s.take(); err != nil {
		s.Metrics.CertificateRefused()
		s.Logger.Info("changed certificates refused, those of before are served with", "hub", s.Hub, "error", err.Error())
		return
	}
	s.Metrics.CertificateServed(s.notAfter)
	s.Logger.Info("changed certificates are served with", "hub", s.Hub, "notAfter", s.notAfter)
}

func (s *Source) take() error {
	served, notAfter, err := s.files.read()
	if err != nil {
		return err
	}
	s.inForce.Store(served)
	s.notAfter, s.expired = notAfter, false
	return nil
}

// tellExpired tells, once, of a certificate that no client believes any more. It goes on being served: clients say what
// is wrong with it, and go to the upstream.
func (s *Source) tellExpired(now time.Time) {
	if !s.expired && now.After(s.notAfter) {
		s.expired = true
		s.Logger.Info("certificate has expired, so that no client believes it: write a new one into its directory",
			"hub", s.Hub, "directory", s.TLS.CertificateDirectory, "notAfter", s.notAfter)
	}
}
