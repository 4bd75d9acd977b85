package proxy

import (
	"errors"
	"fmt"
	"os"
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
// cache that goes on as it was is better than none. But an error in who may pull or push closes the hub, so that whatever
// comes after it is taken, be it what is in force. It is reported last: who waits for the report finds the metrics as it says.
func (s *Server) reload() {
	next, err := load(s.follower.File)
	before := s.report.Load()
	if err == nil && next.hash == before.InForce && before.Refused == nil {
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
		s.figures.Build(s.version, next.hash)
		s.figures.Reloaded(true)
		s.logger.Info("configuration taken into force", "hub", next.Hub, "configHash", next.hash)
		s.report.Store(&config.ProxyReport{InForce: next.hash})
	}
}

// take takes a configuration into force. Who may pull comes first where fewer may than before, and stays even if the rest is
// refused: what is new in the rest may be for fewer. Where more may, it comes last.
func (s *Server) take(next loaded) error {
	if err := config.NeedsRestart(s.inForce.ProxyConfiguration, next.ProxyConfiguration); err != nil {
		return err
	}
	present := s.front.spoken.Load()
	if present.sameAs(next.Listen) {
		return s.backend.configure(next.ProxyConfiguration)
	}
	closing := next.Listen.AsksForCertificate() && !present.asksForCertificate()
	spoken, err := s.newSchemes(next.Listen)
	switch {
	case err != nil && closing:
		s.speak(s.closedTo())
		return err
	case err != nil:
		return err
	case closing:
		s.speak(spoken)
		return s.backend.configure(next.ProxyConfiguration)
	}
	if err := s.backend.configure(next.ProxyConfiguration); err != nil {
		return err
	}
	s.speak(spoken)
	return nil
}

// refuse reports a problem, once.
func (s *Server) refuse(before *config.ProxyReport, refused *config.RefusedConfiguration) {
	if before.Refused != nil && *before.Refused == *refused {
		return
	}
	s.figures.Reloaded(false)
	s.logger.Info("configuration refused: the one before stays in force", "hub", s.inForce.Hub, "configHash", before.InForce,
		"refusedConfigHash", refused.Hash, "reason", refused.Reason)
	s.report.Store(&config.ProxyReport{InForce: before.InForce, Refused: refused})
}

func bounded(reason string) string {
	if len(reason) > maxReason {
		reason = strings.ToValidUTF8(reason[:maxReason], "")
	}
	return reason
}
