package proxy

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	config "github.com/registryhub/registryhub/api/config/v1alpha1"
)

// maxReason is the most bytes of a reason that is reported.
const maxReason = 1024

// loaded is a configuration, and the hash of the file that it was in.
type loaded struct {
	*config.ProxyConfiguration
	hash string
}

// load reads a configuration file. The hash is also that of a file that cannot be decoded.
func load(file string) (loaded, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return loaded{}, fmt.Errorf("reading the configuration: %w", err)
	}
	cfg, err := config.DecodeProxyConfiguration(content)
	return loaded{ProxyConfiguration: cfg, hash: config.Hash(content)}, err
}

// Reload looks at the configuration file at once, instead of when its change is noticed. It does not wait. Without a file
// it does nothing.
func (s *Server) Reload() {
	if s.follower != nil {
		s.follower.Kick()
	}
}

// reload takes the configuration file into force if it is another one, or refuses it and keeps what is in force: a
// cache that goes on as it was is better than none. What says who may pull must not be kept so once there is such a
// thing: an error in it has to close the hub.
func (s *Server) reload() {
	next, err := load(s.follower.File)
	before := s.report.Load()
	if err == nil && next.hash == before.InForce {
		s.agree(before)
		return
	}
	if err == nil {
		err = s.take(next)
	}
	switch {
	case errors.Is(err, errDraining):
	case err != nil:
		s.refuse(before, &config.RefusedConfiguration{Hash: next.hash, Reason: bounded(err.Error())})
	default:
		s.inForce = next
		s.report.Store(&config.ProxyReport{InForce: next.hash})
		s.figures.Build(s.version, next.hash)
		s.figures.Reloaded(true)
		s.logger.Info("configuration taken into force", "hub", next.Hub, "configHash", next.hash)
	}
}

func (s *Server) take(next loaded) error {
	if err := needsRestart(s.inForce.ProxyConfiguration, next.ProxyConfiguration); err != nil {
		return err
	}
	return s.backend.configure(next.ProxyConfiguration)
}

// agree notes that the file is what is in force, which it may not have been before.
func (s *Server) agree(before *config.ProxyReport) {
	if before.Refused != nil {
		s.report.Store(&config.ProxyReport{InForce: before.InForce})
		s.figures.ConfigInForce()
		s.logger.Info("configuration is the one in force again", "hub", s.inForce.Hub, "configHash", before.InForce)
	}
}

// refuse reports a problem, once.
func (s *Server) refuse(before *config.ProxyReport, refused *config.RefusedConfiguration) {
	if before.Refused != nil && *before.Refused == *refused {
		return
	}
	s.report.Store(&config.ProxyReport{InForce: before.InForce, Refused: refused})
	s.figures.Reloaded(false)
	s.logger.Info("configuration refused: the one before stays in force", "hub", s.inForce.Hub, "configHash", before.InForce,
		"refusedConfigHash", refused.Hash, "reason", refused.Reason)
}

// needsRestart says which fields differ that are read only when the proxy starts.
func needsRestart(now, next *config.ProxyConfiguration) error {
	var errs []error
	for _, field := range []struct{ name, now, next string }{
		{"hub", now.Hub, next.Hub},
		{"listen.registry", now.Listen.Registry, next.Listen.Registry},
		{"listen.diagnostics", now.Listen.Diagnostics, next.Listen.Diagnostics},
		{"listen.tls.certificateDirectory", tlsOf(now).CertificateDirectory, tlsOf(next).CertificateDirectory},
		{"listen.tls.clientCAFile", tlsOf(now).ClientCAFile, tlsOf(next).ClientCAFile},
		{"store.directory", now.Store.Directory, next.Store.Directory},
		{"store.scrub.every", now.Store.Scrub.Every.Duration.String(), next.Store.Scrub.Every.Duration.String()},
		{"store.scrub.bytesPerSecond", strconv.FormatInt(*now.Store.Scrub.BytesPerSecond, 10), strconv.FormatInt(*next.Store.Scrub.BytesPerSecond, 10)},
	} {
		if field.now != field.next {
			errs = append(errs, fmt.Errorf("%s: restart needed: it is %q while the proxy runs and cannot become %q", field.name, field.now, field.next))
		}
	}
	return errors.Join(errs...)
}

// tlsOf is what the registry API is served with; the zero value is plain HTTP.
func tlsOf(cfg *config.ProxyConfiguration) config.ListenTLS {
	if cfg.Listen.TLS == nil {
		return config.ListenTLS{}
	}
	return *cfg.Listen.TLS
}

func bounded(reason string) string {
	if len(reason) > maxReason {
		reason = strings.ToValidUTF8(reason[:maxReason], "")
	}
	return reason
}
