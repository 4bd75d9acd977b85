package upstream

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"time"

	// The public roots, for an image that holds no file but the binary.
	_ "golang.org/x/crypto/x509roots/fallback"
)

const (
	// maxIdlePerHost keeps as many connections as segments and small objects use at once.
	maxIdlePerHost = 32
	idleConnection = 90 * time.Second
	// http2Ping finds a dead connection that many transfers share before each of them finds out.
	http2Ping = 15 * time.Second
	// maxHeader is the most bytes of an answer's header.
	maxHeader = 64 << 10
)

// newTransport makes the transport of one upstream, shared with nothing else. HTTP_PROXY, HTTPS_PROXY and NO_PROXY
// are honoured; bodies are never decompressed.
func newTransport(caFile string, timeouts Timeouts) (*http.Transport, error) {
	roots, err := trustedRoots(caFile)
	if err != nil {
		return nil, err
	}
	dialer := &net.Dialer{Timeout: timeouts.Dial, KeepAlive: 30 * time.Second}
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            dialer.DialContext,
		TLSClientConfig:        &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    timeouts.TLS,
		ResponseHeaderTimeout:  timeouts.Header,
		MaxResponseHeaderBytes: maxHeader,
		MaxIdleConnsPerHost:    maxIdlePerHost,
		IdleConnTimeout:        idleConnection,
		DisableCompression:     true,
		ForceAttemptHTTP2:      true,
		HTTP2:                  &http.HTTP2Config{SendPingTimeout: http2Ping, PingTimeout: http2Ping},
	}, nil
}

// trustedRoots are the public roots and, beside them, those of the file; nil means the public ones alone.
func trustedRoots(caFile string) (*x509.CertPool, error) {
	if caFile == "" {
		return nil, nil
	}
	pem, err := readFile(caFile)
	if err != nil {
		return nil, err
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool() // No system roots to read: the file's must do.
	}
	if !roots.AppendCertsFromPEM(pem) {
		return nil, &FileError{File: caFile, Problem: "holds no PEM certificate: write the CA's certificate into it"}
	}
	return roots, nil
}
