package pullthrough_test

import (
	"net/http"
	"testing"
	"time"
)

func TestNothingStaleIsServedOnceALateRefusalHasArrived(t *testing.T) {
	for name, path := range map[string]string{"a tag": "team/app/manifests/1", "a list": "team/app/tags/list"} {
		t.Run(name, func(t *testing.T) {
			o := newOrigin(t)
			o.pushImage(t, "team/app", "1", 100)
			r := start(t, setup{upstreams: []string{o.URL}})
			r.get(t, path).want(t, 200, nil)
			r.clock.advance(10 * time.Minute)
			wasStale := make(chan struct{})
			o.fail(forbiddenAfter(wasStale))
			r.get(t, path).want(t, 200, nil)
			close(wasStale)
			eventually(t, "the refusal is passed on", func() bool { return r.get(t, path).StatusCode == http.StatusForbidden })

			refuse := make(chan struct{})
			o.fail(forbiddenAfter(refuse))
			late := time.AfterFunc(1800*time.Millisecond, func() { close(refuse) })
			defer late.Stop()
			r.get(t, path).want(t, 403, nil)

			o.fail(status(http.StatusServiceUnavailable))
			r.get(t, path).want(t, 503, nil)
			o.heal()
			r.get(t, path).want(t, 200, nil)
			r.clock.advance(10 * time.Minute)
			o.fail(status(http.StatusServiceUnavailable))
			r.get(t, path).want(t, 200, nil)
		})
	}
}

func forbiddenAfter(said <-chan struct{}) fault {
	return func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
		select {
		case <-said:
			w.WriteHeader(http.StatusForbidden)
		case <-r.Context().Done():
		}
	}
}
