package upstream

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// Request is one request that the front answered.
type Request struct {
	Method    string
	Host      string
	Path      string
	UserAgent string
	Status    int
	// Bytes of the answer's body.
	Bytes int64
}

// FromNode says that a container runtime asked by itself, rather than a hub on its behalf.
func (r Request) FromNode() bool { return strings.HasPrefix(r.UserAgent, "containerd") }

// front terminates TLS before the registry and keeps the record.
type front struct {
	address     string
	certificate tls.Certificate
	proxy       *httputil.ReverseProxy

	mu     sync.Mutex
	record []Request
	server *http.Server
	served chan struct{}
}

func newFront(address, registry string, certificate tls.Certificate) *front {
	target := &url.URL{Scheme: "http", Host: registry}
	return &front{
		address:     address,
		certificate: certificate,
		proxy: &httputil.ReverseProxy{
			Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(target); r.Out.Host = r.In.Host; r.SetXForwarded() },
			Transport: &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 16},
		},
	}
}

func (f *front) up(ctx context.Context) error {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", f.address)
	if err != nil {
		return fmt.Errorf("listening for the upstream at %s: %w", f.address, err)
	}
	server := &http.Server{
		Handler:           f,
		ReadHeaderTimeout: 10 * time.Second,
		TLSConfig:         &tls.Config{Certificates: []tls.Certificate{f.certificate}, MinVersion: tls.VersionTLS12},
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = server.ServeTLS(listener, "", "")
	}()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.server, f.served = server, served
	return nil
}

func (f *front) down() error {
	f.mu.Lock()
	server, served := f.server, f.served
	f.server = nil
	f.mu.Unlock()
	if server == nil {
		return nil
	}
	err := server.Close()
	<-served
	return err
}

// ServeHTTP answers from the registry and records the request.
func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	counted := &countingWriter{ResponseWriter: w, status: http.StatusOK}
	defer func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.record = append(f.record, Request{
			Method: r.Method, Host: r.Host, Path: r.URL.Path, UserAgent: r.UserAgent(), Status: counted.status, Bytes: counted.bytes,
		})
	}()
	f.proxy.ServeHTTP(counted, r)
}

func (f *front) requests() []Request {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.record)
}

func (f *front) forget() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.record = nil
}

type countingWriter struct {
	http.ResponseWriter

	status int
	bytes  int64
}

func (w *countingWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

func (w *countingWriter) Write(p []byte) (int, error) {
	n, err := w.ResponseWriter.Write(p)
	w.bytes += int64(n)
	return n, err
}

// Unwrap lets the reverse proxy flush what it writes.
func (w *countingWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
