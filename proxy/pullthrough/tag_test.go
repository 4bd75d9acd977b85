package pullthrough_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sync/errgroup"

	"github.com/registryhub/registryhub/proxy/store"
	"github.com/registryhub/registryhub/proxy/upstream"
)

func TestTagIsFreshThenRevalidatedByHead(t *testing.T) {
	o := newOrigin(t)
	img := o.pushImage(t, "team/app", "1", 100)
	r := start(t, setup{upstreams: []string{o.URL}})
	path := "team/app/manifests/1"
	cold := r.do(t, http.MethodHead, path)
	cold.want(t, 200, nil)
	wantAsked(t, o, "GET "+path)
	hit := r.get(t, path, "If-None-Match", `"`+img.manifest.String()+`"`)
	hit.want(t, 200, img.body)
	for name, want := range map[string]string{
		"Docker-Content-Digest": img.manifest.String(), "Content-Type": typeManifest,
		"Content-Length": strconv.Itoa(len(img.body)), "OCI-Namespace": "registry.test", "Warning": "",
	} {
		if hit.Header.Get(name) != want || cold.Header.Get(name) != want {
			t.Errorf("%s: got %q on a hit, %q on a cold HEAD, want %q", name, hit.Header.Get(name), cold.Header.Get(name), want)
		}
	}
	wantAsked(t, o)

	r.clock.advance(5 * time.Minute)
	r.get(t, path).want(t, 200, img.body)
	wantAsked(t, o, "HEAD "+path)
	r.clock.advance(4 * time.Minute)
	r.get(t, path).want(t, 200, img.body)
	r.get(t, "team/app/manifests/"+img.manifest.String()).want(t, 200, img.body)
	wantAsked(t, o)
}

func TestTagWhoseManifestWasEvictedIsNotOffered(t *testing.T) {
	o := newOrigin(t)
	img := o.pushImage(t, "team/app", "1", 100)
	r := start(t, setup{upstreams: []string{o.URL}})
	path := "team/app/manifests/1"
	r.get(t, path).want(t, 200, img.body)
	evicted := openStore(t, r.dir).(store.Evictable)
	must(t, evicted.Remove(t.Context(), img.manifest, time.Now().Add(time.Minute)))

	o.fail(status(http.StatusServiceUnavailable))
	if got := r.do(t, http.MethodHead, path); got.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("while the upstream is down: got %d, want 503", got.StatusCode)
	}
	o.heal()
	r.get(t, path).want(t, 200, img.body)
	o.fail(status(http.StatusServiceUnavailable))
	r.do(t, http.MethodHead, path).want(t, 200, nil)
}

func TestChangedTagIsFetchedBeforeTheAnswerGoesOut(t *testing.T) {
	o := newOrigin(t)
	o.pushImage(t, "team/app", "1", 100)
	r := start(t, setup{upstreams: []string{o.URL}})
	path := "team/app/manifests/1"
	r.get(t, path)
	second := o.pushImage(t, "team/app", "1", 200)
	r.clock.advance(6 * time.Minute)
	o.asked()
	r.do(t, http.MethodHead, path).want(t, 200, nil)
	wantAsked(t, o, "HEAD "+path, "GET "+path)
	o.fail(status(500))
	r.get(t, "team/app/manifests/"+second.manifest.String()).want(t, 200, second.body)
}

func TestTwentyRevalidateTogether(t *testing.T) {
	o := newOrigin(t)
	img := o.pushImage(t, "team/app", "1", 100)
	r := start(t, setup{upstreams: []string{o.URL}})
	path := "team/app/manifests/1"
	for _, want := range []string{"GET ", "HEAD "} {
		var group errgroup.Group
		for range 20 {
			group.Go(func() error {
				resp, err := r.open(t.Context(), http.MethodGet, path)
				if err != nil {
					return err
				}
				if resp.StatusCode != http.StatusOK || resp.Header.Get("Docker-Content-Digest") != img.manifest.String() {
					return fmt.Errorf("got %d", resp.StatusCode)
				}
				return resp.Body.Close()
			})
		}
		must(t, group.Wait())
		wantAsked(t, o, want+path)
		r.clock.advance(6 * time.Minute)
	}
}

func TestUpstreamInTroubleServesTheLastKnownDigestWithAWarning(t *testing.T) {
	troubles := map[string]fault{
		"429": status(429), "500": status(500), "502": status(502), "503": status(503), "504": status(504),
		"reset":           func(http.ResponseWriter, *http.Request, http.Handler) { panic(http.ErrAbortHandler) },
		"no answer":       func(_ http.ResponseWriter, r *http.Request, _ http.Handler) { <-r.Context().Done() },
		"half a manifest": halfAManifest,
	}
	for name, trouble := range troubles {
		t.Run(name, func(t *testing.T) {
			o := newOrigin(t)
			img := o.pushImage(t, "team/app", "1", 100)
			r := start(t, setup{upstreams: []string{o.URL}})
			r.get(t, "team/app/manifests/1").want(t, 200, img.body)
			r.clock.advance(10 * time.Minute)
			o.fail(trouble)
			began := time.Now()
			got := r.get(t, "team/app/manifests/1")
			got.want(t, 200, img.body)
			if took := time.Since(began); took > 2*time.Second {
				t.Errorf("the answer took %s, want at most 2s", took)
			}
			if warning := got.Header.Get("Warning"); !strings.HasPrefix(warning, `299 - "`) {
				t.Errorf("Warning: got %q, want one of 299", warning)
			}
			o.CloseClientConnections()
			o.heal()
			eventually(t, "an answer without a warning", func() bool {
				return r.get(t, "team/app/manifests/1").Header.Get("Warning") == ""
			})
		})
	}
}

// halfAManifest says that the tag has changed, and stops in the middle of what it is now.
func halfAManifest(w http.ResponseWriter, r *http.Request, _ http.Handler) {
	w.Header().Set("Docker-Content-Digest", missing)
	w.Header().Set("Content-Length", "1000")
	if r.Method == http.MethodHead {
		return
	}
	_, _ = w.Write([]byte("{"))
	_ = http.NewResponseController(w).Flush()
	<-r.Context().Done()
}

// silentTokenServer asks for a token that it then never gives.
func silentTokenServer(w http.ResponseWriter, r *http.Request, _ http.Handler) {
	if r.URL.Path == "/token" {
		<-r.Context().Done()
		return
	}
	w.Header().Set("WWW-Authenticate", `Bearer realm="http://`+r.Host+`/token",service="test"`)
	w.WriteHeader(http.StatusUnauthorized)
}

func TestUpstreamThatCannotBeReachedServesTheLastKnownDigestWithAWarning(t *testing.T) {
	untrusted := httptest.NewTLSServer(http.NotFoundHandler())
	untrusted.Config.ErrorLog = log.New(io.Discard, "", 0)
	defer untrusted.Close()
	for name, gone := range map[string]func(*origin) (url string){
		"refused": func(o *origin) string {
			o.CloseClientConnections()
			o.Close()
			return o.URL
		},
		"a certificate that nobody trusts": func(*origin) string { return untrusted.URL },
		"a token server that is silent": func(o *origin) string {
			o.fail(silentTokenServer)
			return o.URL
		},
		"no such name": func(*origin) string { return "https://registry.invalid" },
	} {
		t.Run(name, func(t *testing.T) {
			o := newOrigin(t)
			img := o.pushImage(t, "team/app", "1", 100)
			before := start(t, setup{upstreams: []string{o.URL}})
			before.get(t, "team/app/manifests/1").want(t, 200, img.body)
			before.close()
			r := start(t, setup{dir: before.dir, clock: before.clock, upstreams: []string{gone(o)}})
			r.clock.advance(10 * time.Minute)
			began := time.Now()
			got := r.get(t, "team/app/manifests/1")
			got.want(t, 200, img.body)
			if took := time.Since(began); took > 2*time.Second {
				t.Errorf("the answer took %s, want at most 2s", took)
			}
			if warning := got.Header.Get("Warning"); !strings.HasPrefix(warning, `299 - "`) {
				t.Errorf("Warning: got %q, want one of 299", warning)
			}
		})
	}
}

func TestManifestOverFourMebibytesIsSentElsewhere(t *testing.T) {
	for name, tc := range map[string]struct {
		size, want int
		sized      bool
	}{
		"at the limit":                       {4 << 20, 200, true},
		"over it":                            {4<<20 + 1, 503, true},
		"over it, without saying its length": {4<<20 + 1, 503, false},
	} {
		t.Run(name, func(t *testing.T) {
			body := document(t, map[string]any{"mediaType": typeManifest, "padding": ""})
			body = bytes.Replace(body, []byte(`""`), []byte(`"`+strings.Repeat("x", tc.size-len(body))+`"`), 1)
			o := newOrigin(t)
			o.fail(func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
				w.Header().Set("Content-Type", typeManifest)
				if tc.sized {
					w.Header().Set("Content-Length", strconv.Itoa(len(body)))
				}
				_, _ = w.Write(body)
			})
			r := start(t, setup{upstreams: []string{o.URL}})
			for _, reference := range []string{"1", digest.FromBytes(body).String()} {
				got := r.get(t, "team/app/manifests/"+reference)
				got.want(t, tc.want, nil)
				if (got.Header.Get("Retry-After") != "") != (tc.want == http.StatusServiceUnavailable) {
					t.Errorf("%s: Retry-After is %q", reference, got.Header.Get("Retry-After"))
				}
				if tc.want == http.StatusOK && !bytes.Equal(got.body, body) {
					t.Errorf("%s: got %d other bytes", reference, len(got.body))
				}
			}
		})
	}
}

func TestStaleAnswersEnd(t *testing.T) {
	o := newOrigin(t)
	img := o.pushImage(t, "team/app", "1", 100)
	r := start(t, setup{upstreams: []string{o.URL}})
	r.get(t, "team/app/manifests/1").want(t, 200, img.body)
	o.fail(status(503))
	r.clock.advance(64 * time.Minute)
	r.get(t, "team/app/manifests/1").want(t, 200, img.body)
	r.clock.advance(time.Minute)
	r.get(t, "team/app/manifests/1").want(t, 503, nil)
	r.get(t, "team/app/manifests/"+img.manifest.String()).want(t, 200, img.body)
}

func TestRefusalIsPassedOnAndNothingStaleIsServed(t *testing.T) {
	for _, code := range []int{401, 403} {
		o := newOrigin(t)
		img := o.pushImage(t, "team/app", "1", 100)
		r := start(t, setup{upstreams: []string{o.URL}})
		r.get(t, "team/app/manifests/1").want(t, 200, img.body)
		r.clock.advance(10 * time.Minute)
		o.fail(status(code))
		r.get(t, "team/app/manifests/1").want(t, 403, nil)
		r.get(t, "team/app/manifests/new").want(t, 403, nil)
	}
}

func TestTagThatIsGoneGoes(t *testing.T) {
	o := newOrigin(t)
	img := o.pushImage(t, "team/app", "1", 100)
	r := start(t, setup{upstreams: []string{o.URL}})
	r.get(t, "team/app/manifests/1").want(t, 200, img.body)
	r.clock.advance(10 * time.Minute)
	o.fail(status(404))
	r.get(t, "team/app/manifests/1").want(t, 404, nil)
	o.fail(status(503))
	r.clock.advance(time.Minute)
	r.get(t, "team/app/manifests/1").want(t, 503, nil)
}

func TestImageThatIsGoneTakesNothingFromAnotherRepository(t *testing.T) {
	t.Parallel()
	o := newOrigin(t)
	img := o.pushImage(t, "team/app", "1", 100<<10)
	fork := document(t, map[string]any{
		"schemaVersion": 2, "mediaType": typeManifest, "annotations": map[string]string{"of": "the fork"},
		"layers": []any{descriptorOf(typeLayer, img.layer, len(img.content))},
	})
	o.pushManifest(t, "team/fork", "1", typeManifest, fork)
	o.pushManifest(t, "team/copy", "1", typeManifest, img.body)
	r := start(t, setup{upstreams: []string{o.URL}})
	others := map[string][]byte{"team/fork": fork, "team/copy": img.body}
	for repository, body := range others {
		r.get(t, repository+"/manifests/1").want(t, 200, body)
	}
	r.get(t, "team/app/manifests/1").want(t, 200, img.body)
	r.get(t, "team/app/blobs/"+img.layer.String()).want(t, 200, img.content)
	r.settle(t, img.layer)
	r.clock.advance(10 * time.Minute)
	o.fail(status(404))
	r.get(t, "team/app/manifests/1").want(t, 404, nil)
	o.CloseClientConnections()
	o.Close()
	for repository, body := range others {
		r.get(t, repository+"/manifests/1").want(t, 200, body)
		r.get(t, repository+"/manifests/"+digest.FromBytes(body).String()).want(t, 200, body)
		r.get(t, repository+"/blobs/"+img.layer.String()).want(t, 200, img.content)
	}
}

func TestNewTagWhileTheUpstreamIsInTroubleIs503(t *testing.T) {
	for upstreamStatus, want := range map[int]int{404: 404, 410: 404, 408: 503, 429: 503, 500: 503, 503: 503, 400: 503} {
		o := newOrigin(t)
		o.fail(status(upstreamStatus))
		r := start(t, setup{upstreams: []string{o.URL}})
		for _, reference := range []string{"1", "sha256:" + strings.Repeat("0", 64)} {
			got := r.get(t, "team/app/manifests/"+reference)
			got.want(t, want, nil)
			if (got.Header.Get("Retry-After") != "") != (want == 503) {
				t.Errorf("upstream %d: Retry-After is %q", upstreamStatus, got.Header.Get("Retry-After"))
			}
		}
	}
}

func TestTagWhoseManifestIsGoneFromTheStoreIsFetchedAgain(t *testing.T) {
	o := newOrigin(t)
	img := o.pushImage(t, "team/app", "1", 100)
	r := start(t, setup{upstreams: []string{o.URL}})
	r.get(t, "team/app/manifests/1").want(t, 200, img.body)
	must(t, os.Remove(blobFile(r.dir, img.manifest)))
	o.asked()
	r.get(t, "team/app/manifests/1").want(t, 200, img.body)
	r.get(t, "team/app/manifests/1").want(t, 200, img.body)
	wantAsked(t, o, "GET team/app/manifests/1")
}

func TestWaiterLeavesAndTheOthersGetTheAnswer(t *testing.T) {
	o := newOrigin(t)
	img := o.pushImage(t, "team/app", "1", 100)
	r := start(t, setup{upstreams: []string{o.URL}})
	arrived, go_ := make(chan struct{}), make(chan struct{})
	o.fail(func(w http.ResponseWriter, req *http.Request, next http.Handler) {
		close(arrived)
		<-go_
		next.ServeHTTP(w, req)
	})
	ctx, leave := context.WithCancel(t.Context())
	left := make(chan error, 1)
	go func() {
		_, err := r.open(ctx, http.MethodGet, "team/app/manifests/1")
		left <- err
	}()
	<-arrived
	leave()
	if err := <-left; err == nil {
		t.Error("the one that left got an answer")
	}
	close(go_)
	r.get(t, "team/app/manifests/1").want(t, 200, img.body)
	wantAsked(t, o, "GET team/app/manifests/1")
}

func TestIndexLeadsToItsManifests(t *testing.T) {
	o := newOrigin(t)
	img := o.pushImage(t, "team/app", "", 100)
	index := document(t, map[string]any{
		"schemaVersion": 2, "mediaType": typeIndex,
		"manifests": []any{descriptorOf(typeManifest, img.manifest, len(img.body))},
	})
	o.pushManifest(t, "team/app", "1", typeIndex, index)
	r := start(t, setup{upstreams: []string{o.URL}})
	r.get(t, "team/app/manifests/1").want(t, 200, index)
	child := r.get(t, "team/app/manifests/"+img.manifest.String())
	child.want(t, 200, img.body)
	if got := child.Header.Get("Content-Type"); got != typeManifest {
		t.Errorf("Content-Type of the child: got %q, want %q", got, typeManifest)
	}
}

func TestManifestWithWrongBytesIsNotServed(t *testing.T) {
	o := newOrigin(t)
	img := o.pushImage(t, "team/app", "1", 100)
	r := start(t, setup{upstreams: []string{o.URL}})
	o.fail(func(w http.ResponseWriter, req *http.Request, next http.Handler) {
		whole := httptest.NewRecorder()
		next.ServeHTTP(whole, req)
		for name, values := range whole.Header() {
			w.Header()[name] = values
		}
		_, _ = w.Write(bytes.Replace(whole.Body.Bytes(), []byte("2"), []byte("3"), 1))
	})
	r.get(t, "team/app/manifests/1").want(t, 503, nil)
	r.get(t, "team/app/manifests/"+img.manifest.String()).want(t, 503, nil)
	o.heal()
	r.get(t, "team/app/manifests/1").want(t, 200, img.body)
}

func TestHeadersWithinSecondsWhateverHappens(t *testing.T) {
	o := newOrigin(t)
	img := o.pushImage(t, "team/app", "1", 100)
	o.fail(func(_ http.ResponseWriter, r *http.Request, _ http.Handler) { <-r.Context().Done() })
	r := start(t, setup{upstreams: []string{o.URL}, timeouts: upstream.Timeouts{Header: time.Minute}})
	var group errgroup.Group
	for _, ask := range []string{"GET team/app/manifests/1", "GET team/app/blobs/" + img.layer.String(), "HEAD team/app/blobs/" + img.config.String(), "GET team/app/tags/list"} {
		group.Go(func() error {
			method, path, _ := strings.Cut(ask, " ")
			began := time.Now()
			resp, err := r.open(t.Context(), method, path)
			if err != nil {
				return err
			}
			if took := time.Since(began); resp.StatusCode != http.StatusServiceUnavailable || took > 12*time.Second {
				return fmt.Errorf("%s: got %d after %s, want 503 within seconds", ask, resp.StatusCode, took)
			}
			return resp.Body.Close()
		})
	}
	must(t, group.Wait())
	o.CloseClientConnections()
}

func blobFile(dir string, d interface{ Encoded() string }) string {
	return filepath.Join(dir, "blobs", "sha256", d.Encoded()[:2], d.Encoded())
}
