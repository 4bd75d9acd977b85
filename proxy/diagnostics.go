package proxy

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	config "github.com/registryhub/registryhub/api/config/v1alpha1"
)

// HeaderConfigHash carries, on the answers of /readyz, the hash of the configuration in force.
const HeaderConfigHash = "RegistryHub-Config-Hash"

func newRegistry() *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return r
}

// diagnosticsHandler answers whether the process lives, whether it takes requests, and what it counted.
func (s *Server) diagnosticsHandler(registry *prometheus.Registry) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	mux.HandleFunc("GET /readyz", s.serveReady)
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	return mux
}

func (s *Server) serveReady(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set(HeaderConfigHash, s.configHash)
	if s.draining.Load() {
		http.Error(w, "draining", http.StatusServiceUnavailable)
		return
	}
	w.WriteHeader(http.StatusOK)
}

// configHash is the SHA-256 of the configuration as Encode writes it, in hexadecimal: the same for the same content.
func configHash(cfg *config.ProxyConfiguration) (string, error) {
	data, err := config.Encode(cfg.DeepCopy())
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:]), nil
}
