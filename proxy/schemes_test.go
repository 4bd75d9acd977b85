package proxy_test

import (
	"errors"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/random"

	config "github.com/registryhub/registryhub/api/config/v1alpha1"
)

// with is a configuration with TLS, and with more to say of it.
func (s secret) with(upstream, dir, more string) string {
	before, tls, _ := strings.Cut(s.configuration(upstream, dir, false), "tls: {")
	return before + "tls: {" + strings.Replace(tls, "}", more+"}", 1)
}

// pulling pulls a manifest again and again until it is stopped, and gives how often it did.
type pulling struct {
	stop chan struct{}
	done chan error
	many chan int
}

func pull(client *http.Client, url string) *pulling {
	p := &pulling{stop: make(chan struct{}), done: make(chan error, 1), many: make(chan int, 1)}
	go func() {
		n := 0
		defer func() { p.many <- n }()
		for ; ; n++ {
			select {
			case <-p.stop:
				p.done <- nil
				return
			default:
			}
			resp, err := client.Get(url)
			if err == nil {
				_, err = io.Copy(io.Discard, resp.Body)
				err = errors.Join(err, resp.Body.Close())
			}
			if err != nil || resp.StatusCode != http.StatusOK {
				p.done <- &pullError{resp, err}
				return
			}
		}
	}()
	return p
}

type pullError struct {
	resp *http.Response
	err  error
}

func (e *pullError) Error() string {
	if e.err != nil {
		return e.err.Error()
	}
	return e.resp.Status
}

func (p *pulling) end(t *testing.T) {
	t.Helper()
	close(p.stop)
	if err := <-p.done; err != nil {
		t.Errorf("a pull failed: %v", err)
	}
	if n := <-p.many; n == 0 {
		t.Error("there was no pull")
	}
}

func TestPullsGoOnWhileTheSchemeChanges(t *testing.T) {
	o := newOrigin(t)
	img, err := random.Image(1000, 1)
	must(t, err)
	o.push(t, "1", img)
	ca, dir := newAuthority(t), t.TempDir()
	mounted := mountSecret(t, ca, time.Time{}, nil)
	plain, both, secured := configuration(o.URL, dir), mounted.with(o.URL, dir, ", alsoPlain: true"), mounted.configuration(o.URL, dir, false)
	f := runFile(t, plain)
	overHTTP, overTLS := f.url("library/app/manifests/1"), f.base()+"library/app/manifests/1"
	change := func(content string) {
		f.write(t, content)
		f.await(t, "it is in force", inForce(content))
	}
	kept := tlsClient(t, ca)
	old := pull(f.client, overHTTP)
	change(both)
	young := pull(kept, overTLS)
	old.end(t)
	change(secured)
	young.end(t)
	if status, _ := get(t, f.client, overHTTP); status != http.StatusForbidden {
		t.Errorf("over a connection of before: got %d, want 403", status)
	}
	f.client.CloseIdleConnections()
	if status, _ := get(t, f.client, overHTTP); status != http.StatusBadRequest {
		t.Errorf("plain HTTP when it is over: got %d, want 400", status)
	}

	old = pull(kept, overTLS)
	change(both)
	young = pull(f.client, overHTTP)
	old.end(t)
	change(plain)
	young.end(t)
	kept.CloseIdleConnections()
	if resp, err := kept.Get(overTLS); err == nil {
		must(t, resp.Body.Close())
		t.Errorf("TLS when it is over: got %d, want no handshake", resp.StatusCode)
	}
}

func TestWhoSaysNothingHoldsNobodyUp(t *testing.T) {
	ca := newAuthority(t)
	f := runFile(t, mountSecret(t, ca, time.Time{}, nil).with("http://127.0.0.1:1", t.TempDir(), ", alsoPlain: true"))
	silent := dial(t, f.running)
	for name, base := range map[string]string{"over TLS": f.base(), "over HTTP": f.url("")} {
		client := tlsClient(t, ca)
		if status, _ := get(t, client, base); status != http.StatusOK {
			t.Errorf("%s: got %d, want 200", name, status)
		}
		client.CloseIdleConnections()
	}
	f.holds(t, "registryhub_proxy_open_connections 1")
	must(t, silent.Close())
	f.holds(t, "registryhub_proxy_open_connections 0")
}

func TestAnErrorInWhoMayPullClosesTheHub(t *testing.T) {
	ca, nodes, dir := newAuthority(t), newAuthority(t), t.TempDir()
	mounted := mountSecret(t, ca, time.Time{}, nodes)
	open, closed := mounted.configuration("http://127.0.0.1:1", dir, false), mounted.configuration("http://127.0.0.1:1", dir, true)
	f := runFile(t, open)
	status := func(want int) {
		t.Helper()
		client := tlsClient(t, ca)
		if got, _ := get(t, client, f.base()); got != want {
			t.Errorf("who shows nothing: got %d, want %d", got, want)
		}
		client.CloseIdleConnections()
	}
	status(http.StatusOK)
	f.write(t, closed)
	f.await(t, "it is in force", inForce(closed))
	status(http.StatusForbidden)
	f.write(t, open)
	f.await(t, "it is in force", inForce(open))
	status(http.StatusOK)

	// Nodes alone may pull, and whatever else there is to say is wrong.
	wrong := strings.Replace(closed, "name: origin,", "name: origin, caFile: /nonexistent/ca.crt,", 1)
	f.write(t, wrong)
	f.await(t, "it is refused", refused(wrong))
	status(http.StatusForbidden)
	f.write(t, open)
	f.await(t, "the one before is back", inForce(open))
	status(http.StatusOK)

	kept := tlsClient(t, ca)
	if got, _ := get(t, kept, f.base()); got != http.StatusOK {
		t.Errorf("got %d, want 200", got)
	}
	missing := strings.Replace(closed, filepath.Join(mounted.directory, "clients.pem"), "/nonexistent/clients.pem", 1)
	f.write(t, missing)
	f.await(t, "it is refused", refused(missing))
	if got, _ := get(t, kept, f.base()); got != http.StatusServiceUnavailable {
		t.Errorf("nobody knows who may pull: got %d, want 503", got)
	}
	f.write(t, open)
	f.await(t, "the one before is back", inForce(open))
	status(http.StatusOK)
}

func refused(content string) func(config.ProxyReport) bool {
	return func(r config.ProxyReport) bool {
		return r.Refused != nil && r.Refused.Hash == config.Hash([]byte(content))
	}
}
