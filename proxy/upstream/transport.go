package upstream

import (
	"crypto/tls"
	"net"
	"net/http"
	"time"
)

const (
	// maxIdlePerHost keeps as many connections as segments and small objects use at once.
	maxIdlePerHost = 32
	// maxPerHost bounds the connections to one host of an upstream, twice for documents and for blobs. Who wants one
	// more waits, at most Timeouts.Document. It is above what the transfers of a busy hub come to, and below what
	// registries and NAT gateways put up with from one address.
	maxPerHost     = 256
	idleConnection = 90 * time.Second
	// http2Ping finds a dead connection that many requests share before each of them finds out.
	http2Ping = 15 * time.Second
	// maxHeader is the most bytes of an answer's header.
	maxHeader = 64 << 10
)

// newTransport makes a transport of one upstream, shared with nothing else. HTTP_PROXY, HTTPS_PROXY and NO_PROXY are
// honoured; bodies are never decompressed. The certificate, where there is one, is shown to any server that asks for it.
func newTransport(trusted certificates, timeouts Timeouts) *http.Transport {
	dialer := &net.Dialer{Timeout: timeouts.Dial, KeepAlive: 30 * time.Second}
	secure := &tls.Config{RootCAs: trusted.roots, MinVersion: tls.VersionTLS12}
	if trusted.own != nil {
		secure.Certificates = []tls.Certificate{*trusted.own}
	}
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            dialer.DialContext,
		TLSClientConfig:        secure,
		TLSHandshakeTimeout:    timeouts.TLS,
		ResponseHeaderTimeout:  timeouts.Header,
		MaxResponseHeaderBytes: maxHeader,
		MaxIdleConnsPerHost:    maxIdlePerHost,
		MaxConnsPerHost:        maxPerHost,
		IdleConnTimeout:        idleConnection,
		DisableCompression:     true,
		ForceAttemptHTTP2:      true,
		HTTP2:                  &http.HTTP2Config{SendPingTimeout: http2Ping, PingTimeout: http2Ping},
	}
}

// newBlobTransport has a connection for each transfer: HTTP/2 would put all segments of a blob into the one connection
// whose slowness they are there to make up for.
func newBlobTransport(trusted certificates, timeouts Timeouts) *http.Transport {
	t := newTransport(trusted, timeouts)
	t.ForceAttemptHTTP2 = false
	t.Protocols = &http.Protocols{}
	t.Protocols.SetHTTP1(true)
	return t
}

// newProbeTransport has a new connection for each request: one that died must not speak for the upstream, nor one be
// waited for while transfers have all of them.
func newProbeTransport(trusted certificates, timeouts Timeouts) *http.Transport {
	t := newTransport(trusted, timeouts)
	t.DisableKeepAlives = true
	return t
}
