package probe

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"syscall"
	"time"
)

const (
	// maxBody is as much of an answer as is read, and maxHeader of its head. The hub's are below 200 bytes.
	maxBody, maxHeader = 4 << 10, 16 << 10
	userAgent          = "registryhub-node-agent"
	// maxSessions is more than there are hubs: a smaller cache that is asked in turn holds never the one that is wanted.
	maxSessions = 1024
)

// ask asks for the registry API's root, /v2/, and says what is the matter when the answer is not one that containerd
// could pull behind: nil for 200, and for 401 with a challenge, which its callers can meet.
//
// Each question has a connection of its own. What is asked is whether a connection that containerd makes now would be
// served; one that was made before also is by a Pod that takes no new ones any more. And a hub with thousands of nodes
// has no thousands of connections to keep.
func ask(ctx context.Context, target Target, config *tls.Config, within time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, target.Endpoint+"/v2/", http.NoBody)
	if err != nil {
		return fmt.Errorf("the endpoint %q cannot be asked: %w", target.Endpoint, err)
	}
	request.Header.Set("User-Agent", userAgent)
	// A RoundTripper follows no redirect: what the hub names is not the hub.
	response, err := transport(config).RoundTrip(request)
	if err != nil {
		return trouble(ctx, err, within)
	}
	defer func() { _ = response.Body.Close() }()
	if _, err := io.Copy(io.Discard, io.LimitReader(response.Body, maxBody)); err != nil {
		return trouble(ctx, err, within)
	}
	return judge(response)
}

// TLS is how to ask hubs whose certificates these roots vouch for, showing them a certificate where there is one. Each
// question is a handshake, and a hub has thousands of nodes: sessions are resumed, as long as the hub serves what it served
// when they began, and keys are agreed on by what costs least.
func TLS(roots *x509.CertPool, shown ...tls.Certificate) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12, RootCAs: roots, Certificates: shown,
		ClientSessionCache: tls.NewLRUClientSessionCache(maxSessions), CurvePreferences: []tls.CurveID{tls.CurveP256},
	}
}

// transport asks nobody's proxy: the endpoint is on the cluster's network, which containerd must reach directly too.
func transport(config *tls.Config) *http.Transport {
	return &http.Transport{
		DialContext:            dial,
		TLSClientConfig:        config,
		DisableKeepAlives:      true,
		DisableCompression:     true,
		MaxResponseHeaderBytes: maxHeader,
		MaxConnsPerHost:        1,
	}
}

// dial closes connections with a reset, as there is nothing left to say when an answer was read. It leaves no socket in
// TIME_WAIT on either side, and each node's entry in the tables of connections on the way for 10 s, not for 120.
func dial(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := (&net.Dialer{KeepAlive: -1}).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	if tcp, ok := c.(*net.TCPConn); ok {
		if err := tcp.SetLinger(0); err != nil {
			return nil, errors.Join(err, tcp.Close())
		}
	}
	return c, nil
}

func judge(response *http.Response) error {
	challenged := response.StatusCode == http.StatusUnauthorized && response.Header.Get("WWW-Authenticate") != ""
	if response.StatusCode == http.StatusOK || challenged {
		return nil
	}
	if response.StatusCode == http.StatusForbidden {
		return errors.New("it answered 403: it does not take this node's client certificate, or wants one")
	}
	return fmt.Errorf("it answered %d to GET /v2/", response.StatusCode)
}

// trouble is an error in words that are the same for the same trouble: net's hold this node's port, which is another
// each time.
func trouble(ctx context.Context, err error, within time.Duration) error {
	var network net.Error
	var dialled *net.OpError
	var number syscall.Errno
	switch {
	case ctx.Err() != nil, errors.As(err, &network) && network.Timeout():
		return fmt.Errorf("it did not answer within %s", within)
	case errors.As(err, &number):
		return number
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("it closed the connection without an answer")
	case errors.As(err, &dialled) && dialled.Op != "dial":
		return dialled.Err
	}
	return err
}
