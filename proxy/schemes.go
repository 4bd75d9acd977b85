package proxy

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"sync"
	"time"

	config "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/proxy/distspec"
	"github.com/registryhub/registryhub/proxy/servingcert"
)

// schemes are what the registry API is spoken in at its one address: TLS, plain HTTP, or both while a hub moves from one to
// the other.
type schemes struct {
	// listen is what they were made of; nil where that could not be.
	listen      *config.ListenConfiguration
	certificate *servingcert.Source // nil without TLS
	secured     *tls.Config         // nil without TLS
	overTLS     http.Handler
	overHTTP    http.Handler
	plain       bool
	// replaced is closed when others are in force.
	replaced chan struct{}
}

var (
	errOnlyTLS = distspec.NewError(http.StatusForbidden, distspec.CodeDenied,
		"the hub is not served over plain HTTP any more: ask it over https, or the registry itself")
	errClosed = distspec.NewError(http.StatusServiceUnavailable, distspec.CodeUnavailable,
		"the hub cannot tell who may pull, and serves nobody: ask the registry itself")
)

// newSchemes reads the files that there are for TLS. Errors are *secretfile.Error.
func (s *Server) newSchemes(listen config.ListenConfiguration) (*schemes, error) {
	spoken := &schemes{listen: &listen, overTLS: s.backend.engine, overHTTP: s.backend.engine, plain: true, replaced: make(chan struct{})}
	if listen.TLS == nil {
		return spoken, nil
	}
	var err error
	spoken.certificate, err = servingcert.New(servingcert.Options{Hub: s.inForce.Hub, TLS: *listen.TLS, Logger: s.logger, Metrics: s.figures})
	if err != nil {
		return nil, err
	}
	spoken.secured = spoken.certificate.Config()
	if s.inForce.Local == nil { // whose policy knows what a certificate is good for
		spoken.overTLS = spoken.certificate.Require(s.backend.engine)
	}
	if spoken.plain = listen.TLS.AlsoPlain; !spoken.plain {
		spoken.overHTTP = answer{http.StatusForbidden, errOnlyTLS, s.figures.Request}
	}
	return spoken, nil
}

// speak has other schemes in force.
func (s *Server) speak(next *schemes) {
	s.front.speak(next)
	s.announce(next)
}

// announce tells the metrics of the certificate of the schemes in force.
func (s *Server) announce(spoken *schemes) {
	if spoken.certificate == nil {
		s.figures.CertificateGone()
		return
	}
	spoken.certificate.Announce()
}

// closedTo serves nobody: it is for who may pull when that cannot be read.
func (s *Server) closedTo() *schemes {
	nobody := answer{http.StatusServiceUnavailable, errClosed, s.figures.Request}
	return &schemes{overTLS: nobody, overHTTP: nobody, plain: true, replaced: make(chan struct{})}
}

// answer answers everything alike, and has it counted.
type answer struct {
	status int
	err    error
	count  func(kind string, status int, bytes int64, took time.Duration)
}

// ServeHTTP implements http.Handler. The connection is closed, so that its client may make one that is served.
func (a answer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	began := time.Now()
	w.Header().Set("Connection", "close")
	distspec.WriteError(w, r, a.err)
	a.count("denied", a.status, 0, time.Since(began))
}

// take has a connection speak TLS if it is to.
func (s *schemes) take(c *connection, overTLS bool) net.Conn {
	if overTLS && s.secured != nil {
		return tls.Server(c, s.secured)
	}
	return c
}

// sameAs says whether a configuration asks for just these.
func (s *schemes) sameAs(listen config.ListenConfiguration) bool {
	return s.listen != nil && s.listen.SameSchemes(listen)
}

// asksForCertificate says whether nobody is served who does not show one.
func (s *schemes) asksForCertificate() bool { return s.listen == nil || s.listen.AsksForCertificate() }

// both says whether a client is to be listened to before it is known what it speaks.
func (s *schemes) both() bool { return s.secured != nil && s.plain }

// follow follows the files until others are in force or the context ends.
func (s *schemes) follow(ctx context.Context) {
	ctx, stop := context.WithCancel(ctx)
	var following sync.WaitGroup
	if s.certificate != nil {
		following.Go(func() { s.certificate.Run(ctx) })
	}
	select {
	case <-s.replaced:
	case <-ctx.Done():
	}
	stop()
	following.Wait()
}
