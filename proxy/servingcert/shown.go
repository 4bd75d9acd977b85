package servingcert

import (
	"net/http"
	"time"

	"github.com/registryhub/registryhub/proxy/distspec"
)

var errNotShown = distspec.NewError(http.StatusForbidden, distspec.CodeDenied,
	"the hub serves only who shows a client certificate, as a node does that its agent wired: ask the registry itself")

// Require has a handler serve only who showed a certificate, where there are CAs for those of clients. Others are answered
// 403, which sends containerd on to the upstream. What is shown was verified in the handshake, which it does not survive
// otherwise.
func (s *Source) Require(next http.Handler) http.Handler {
	if s.TLS.ClientCAFile == "" {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.TLS != nil && len(r.TLS.VerifiedChains) > 0 {
			next.ServeHTTP(w, r)
			return
		}
		began := time.Now()
		distspec.WriteError(w, r, errNotShown)
		s.Metrics.Request("denied", http.StatusForbidden, 0, time.Since(began))
	})
}
