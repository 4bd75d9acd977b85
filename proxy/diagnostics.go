package proxy

import (
	"encoding/json"
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

// diagnosticsHandler answers whether the process lives, whether it takes requests, which configuration
// it has, and what it counted.
func (s *Server) diagnosticsHandler(registry *prometheus.Registry) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	mux.HandleFunc("GET /readyz", s.serveReady)
	mux.HandleFunc("GET "+config.ReportPath, s.serveReport)
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	return mux
}

func (s *Server) serveReady(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set(HeaderConfigHash, s.report.Load().InForce)
	if s.draining.Load() {
		http.Error(w, "draining", http.StatusServiceUnavailable)
		return
	}
	w.WriteHeader(http.StatusOK)
}

// serveReport answers with what the proxy says of its configuration, its store, and what its mode has to say.
func (s *Server) serveReport(w http.ResponseWriter, r *http.Request) {
	report := *s.report.Load()
	report.Store, report.Figures = s.backend.upkeep.report(), s.proxyFigures(r.Context())
	s.backend.tell(&report)
	body, err := json.Marshal(report)
	if err != nil {
		http.Error(w, "encoding the report failed", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(body) // the client is gone: nobody is left to be told
}
