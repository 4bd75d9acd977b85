package upstream

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/registryhub/registryhub/proxy/distspec"
)

func limited(retryAfter time.Duration) *StatusError {
	return &StatusError{Status: http.StatusTooManyRequests, Code: "TOOMANYREQUESTS", RetryAfter: retryAfter}
}

func TestPausesLastAsLongAsAskedWithinABound(t *testing.T) {
	tests := map[string]struct {
		asked, after, wantRest time.Duration
		wantPause              bool
	}{
		"at once":                          {time.Minute, 0, time.Minute, true},
		"on its way":                       {time.Minute, 45 * time.Second, 15 * time.Second, true},
		"when it is over":                  {time.Minute, time.Minute, 0, false},
		"a longer one than we go along":    {time.Hour, maxPause - time.Second, time.Hour - maxPause + time.Second, true},
		"a longer one, after the bound":    {time.Hour, maxPause, 0, false},
		"without a word of when":           {0, 0, 0, false},
		"an upstream that counts in years": {1000 * time.Hour, time.Second, 1000*time.Hour - time.Second, true},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := &pauses{}
				p.learn(distspec.KindManifest, limited(tc.asked))
				elapse(tc.after)
				err := p.check(distspec.KindManifest)
				e, paused := errors.AsType[*StatusError](err)
				if paused != tc.wantPause || (paused && (e.RetryAfter != tc.wantRest || e.Code != "TOOMANYREQUESTS" || !IsUnsent(err) || !IsUnavailable(err))) {
					t.Errorf("got %v, want a pause: %v, of which %v are left", err, tc.wantPause, tc.wantRest)
				}
				if err := p.check(distspec.KindBlob); err != nil {
					t.Errorf("requests of another kind: %v", err)
				}
			})
		})
	}
}

func TestOnlyTooManyRequestsAsksForAPause(t *testing.T) {
	p := &pauses{}
	p.learn(distspec.KindBlob, &StatusError{Status: http.StatusServiceUnavailable, RetryAfter: time.Minute})
	p.learn(distspec.KindBlob, errRefused)
	p.learn(distspec.KindBlob, nil)
	if err := p.check(distspec.KindBlob); err != nil {
		t.Errorf("got %v", err)
	}
}

func TestAPausedKindIsNotAskedForAndOthersAre(t *testing.T) {
	inner := realRegistry(t, "a")
	server, seen := serveFunc(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "/manifests/") {
			w.Header().Set("Retry-After", "60")
			w.WriteHeader(http.StatusTooManyRequests)
			return
		}
		inner.ServeHTTP(w, r)
	})
	c := client(t, server.URL)
	for i := range 5 {
		_, err := c.Manifest(t.Context(), "a", tagged(t, "v1"))
		e, ok := errors.AsType[*StatusError](err)
		if !ok || e.Status != http.StatusTooManyRequests || e.RetryAfter <= 0 || e.RetryAfter > time.Minute || IsUnsent(err) != (i > 0) {
			t.Errorf("request %d: got %v", i, err)
		}
	}
	if _, err := c.ManifestHead(t.Context(), "b", tagged(t, "v2")); !IsUnsent(err) {
		t.Errorf("a HEAD of another repository: got %v", err)
	}
	if got := len(seen.requests()); got != 1 {
		t.Errorf("%d requests for manifests, want 1", got)
	}
	if got, _, err := readBlob(t, c, 0, -1); err != nil || got != blobContent {
		t.Errorf("a blob: %q, %v", got, err)
	}
	if _, err := c.Tags(t.Context(), "a", ""); err != nil {
		t.Errorf("the tags: %v", err)
	}
}

func TestTooManyRequestsWithoutRetryAfterIsNoPause(t *testing.T) {
	server, seen := serveFunc(t, answering(http.StatusTooManyRequests))
	c := client(t, server.URL)
	for range 3 {
		if _, err := c.Blob(t.Context(), "a", digest.FromString("x"), 0, -1); Status(err) != http.StatusTooManyRequests || IsUnsent(err) {
			t.Errorf("got %v", err)
		}
	}
	if got := len(seen.requests()); got != 3 {
		t.Errorf("%d requests, want 3", got)
	}
}

func TestATokenServerThatWantsToBeLeftAloneIs(t *testing.T) {
	tokenServer, asked := serveFunc(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "60")
		w.WriteHeader(http.StatusTooManyRequests)
	})
	c := client(t, httpRefuser(t, &tokens{realm: tokenServer.URL}))
	for range 3 {
		if _, err := c.Manifest(t.Context(), "x", tagged(t, "v1")); Status(err) != http.StatusTooManyRequests {
			t.Errorf("got %v", err)
		}
	}
	if got := len(asked.requests()); got != 1 {
		t.Errorf("the token server was asked %d times, want once", got)
	}
}
