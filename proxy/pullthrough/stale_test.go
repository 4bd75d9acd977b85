package pullthrough_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestStaleAnswerComesAsSoonAsTheUpstreamRefuses is in a bubble, whose clock stands still while the upstream is asked: what
// passes on it is what the mirror itself waits.
func TestStaleAnswerComesAsSoonAsTheUpstreamRefuses(t *testing.T) {
	for name, refuse := range map[string]func(*origin){
		"429":                  func(o *origin) { o.fail(status(429)) },
		"429 with Retry-After": func(o *origin) { o.fail(leaveAlone("", "90")) },
		"500":                  func(o *origin) { o.fail(status(500)) },
		"503":                  func(o *origin) { o.fail(status(503)) },
		"a reset": func(o *origin) {
			o.fail(func(http.ResponseWriter, *http.Request, http.Handler) { panic(http.ErrAbortHandler) })
		},
		"a refused connection": func(o *origin) { o.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			o := newOrigin(t)
			o.Config.SetKeepAlivesEnabled(false) // who waits at a socket holds the clock
			img := o.pushImage(t, "team/app", "1", 100)
			synctest.Test(t, func(t *testing.T) {
				r := assemble(t, setup{upstreams: []string{o.URL}})
				if first := r.serve(t, "team/app/manifests/1"); first.Code != http.StatusOK {
					t.Fatalf("got %d while the upstream was well", first.Code)
				}
				r.clock.advance(10 * time.Minute)
				refuse(o)
				began := time.Now()
				got := r.serve(t, "team/app/manifests/1")
				if waited := time.Since(began); waited >= time.Second {
					t.Errorf("the mirror waited %s for an upstream that had refused", waited)
				}
				if got.Code != http.StatusOK || !bytes.Equal(got.Body.Bytes(), img.body) || !strings.HasPrefix(got.Header().Get("Warning"), "299 ") {
					t.Errorf("got %d, Warning %q, %d bytes; want what was last known", got.Code, got.Header().Get("Warning"), got.Body.Len())
				}
			})
		})
	}
}

// serve asks the mirror without a server between.
func (r *rig) serve(t *testing.T, path string) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	r.mirror.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/v2/"+path, nil))
	return w
}
