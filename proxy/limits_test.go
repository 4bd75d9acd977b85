package proxy_test

import (
	"bufio"
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/registryhub/registryhub/proxy"
)

// wire is a connection to a server, whose answers are read one after the other.
type wire struct {
	net.Conn
	in *bufio.Reader
}

func dial(t *testing.T, r *running) *wire {
	t.Helper()
	conn, err := net.Dial("tcp", r.RegistryAddr().String())
	must(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	must(t, conn.SetDeadline(time.Now().Add(time.Minute)))
	return &wire{Conn: conn, in: bufio.NewReader(conn)}
}

// ask sends a head and reads the answer.
func (w *wire) ask(t *testing.T, head string) (*http.Response, string) {
	t.Helper()
	_, err := io.WriteString(w, head)
	must(t, err)
	return w.answer(t, head)
}

func (w *wire) answer(t *testing.T, head string) (*http.Response, string) {
	t.Helper()
	method, _, _ := strings.Cut(head, " ")
	resp, err := http.ReadResponse(w.in, &http.Request{Method: method})
	must(t, err)
	body, err := io.ReadAll(resp.Body)
	must(t, err)
	return resp, string(body)
}

const base = "GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n"

func (r *running) holds(t *testing.T, figure string) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	eventually(t, figure, func() bool {
		_, figures := get(t, client, "http://"+r.DiagnosticsAddr().String()+"/metrics")
		return strings.Contains(figures, figure+"\n")
	})
}

func (r *running) end(tb testing.TB) {
	tb.Helper()
	r.stop()
	must(tb, <-r.ended)
}

func TestConnectionsOverTheLimitAreToldSo(t *testing.T) {
	r := runLimited(t, "http://127.0.0.1:1", t.TempDir(), proxy.Limits{Connections: 2})
	held := []*wire{dial(t, r), dial(t, r)}
	for _, w := range held {
		if resp, _ := w.ask(t, base); resp.StatusCode != http.StatusOK {
			t.Errorf("within the limit: got %d, want 200", resp.StatusCode)
		}
	}
	resp, body := dial(t, r).ask(t, base)
	if resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" || !resp.Close || !strings.Contains(body, "UNAVAILABLE") {
		t.Errorf("over the limit: got %d %v %s, want a 503 that closes", resp.StatusCode, resp.Header, body)
	}
	r.holds(t, `registryhub_proxy_turned_away_total{limit="connections"} 1`)
	r.holds(t, "registryhub_proxy_open_connections 2")
	for range 64 {
		dial(t, r)
	}
	r.holds(t, "registryhub_proxy_open_connections 66")
	if n, err := dial(t, r).Read(make([]byte, 1)); n != 0 || err == nil {
		t.Errorf("far over the limit: got %d bytes, error %v, want a closed connection", n, err)
	}
	must(t, held[0].Close())
	if resp, _ := held[1].ask(t, base); resp.StatusCode != http.StatusOK {
		t.Errorf("a connection that was there before: got %d, want 200", resp.StatusCode)
	}
	r.end(t)
}

func TestRequestsOverTheLimitAreAnsweredAndTheirConnectionIsKept(t *testing.T) {
	o := newOrigin(t)
	hold := make(chan struct{})
	o.hold = hold
	img, err := random.Image(1<<20, 1)
	must(t, err)
	layer := o.push(t, "1", img)
	r := runLimited(t, o.URL, t.TempDir(), proxy.Limits{Connections: 10, Requests: 1})
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	underWay, err := client.Get("http://" + r.RegistryAddr().String() + "/v2/library/app/blobs/" + layer.String())
	must(t, err)
	w := dial(t, r)
	resp, body := w.ask(t, base)
	if resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" || resp.Close {
		t.Errorf("over the limit: got %d %v %s, want a 503 that keeps the connection", resp.StatusCode, resp.Header, body)
	}
	r.holds(t, `registryhub_proxy_turned_away_total{limit="requests"} 1`)
	close(hold)
	_, err = io.Copy(io.Discard, underWay.Body)
	must(t, err)
	must(t, underWay.Body.Close())
	eventually(t, "it is served again on the same connection", func() bool {
		resp, _ := w.ask(t, base)
		return resp.StatusCode == http.StatusOK
	})
	must(t, w.Close())
	client.CloseIdleConnections()
	r.end(t)
}

// moreThanBuffers is an image with a layer that is larger than all buffers on its way.
func moreThanBuffers(t *testing.T) v1.Image {
	t.Helper()
	content := make([]byte, 32<<20)
	_, _ = rand.Read(content) // never fails
	img, err := mutate.AppendLayers(empty.Image, static.NewLayer(content, types.OCILayer))
	must(t, err)
	return img
}

func TestAClientThatTakesNothingIsCut(t *testing.T) {
	o := newOrigin(t)
	layer := o.push(t, "1", moreThanBuffers(t))
	r := runLimited(t, o.URL, t.TempDir(), proxy.Limits{Stalled: 500 * time.Millisecond})
	w := dial(t, r)
	_, err := fmt.Fprintf(w, "GET /v2/library/app/blobs/%s HTTP/1.1\r\nHost: x\r\n\r\n", layer)
	must(t, err)
	r.holds(t, "registryhub_proxy_stalled_clients_total 1")
	r.holds(t, "registryhub_proxy_open_connections 0")
	r.end(t)
}
