package pullthrough_test

import (
	"fmt"
	"net/http"
	"sync"
	"testing"
)

func TestUnusableAnswerLeavesWhatIsThereOfABlob(t *testing.T) {
	page := func(w http.ResponseWriter, _ *http.Request, _ http.Handler) { _, _ = w.Write([]byte("please sign in")) }
	elsewhere := func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		w.Header().Set("Content-Range", fmt.Sprintf("bytes 0-99/%d", 1<<20))
		w.WriteHeader(http.StatusPartialContent)
		_, _ = w.Write(make([]byte, 100))
	}
	for name, tc := range map[string]struct {
		unusable fault
		manifest bool // says the size
	}{
		"a page that is shorter than what is there": {page, true},
		"a part that begins elsewhere":              {elsewhere, false},
	} {
		t.Run(name, func(t *testing.T) {
			o := newOrigin(t)
			img := o.pushImage(t, "team/app", "1", 1<<20)
			r := start(t, setup{upstreams: []string{o.URL}})
			if tc.manifest {
				r.get(t, "team/app/manifests/1").want(t, 200, img.body)
			}
			path := "team/app/blobs/" + img.layer.String()
			o.fail(cutOnceThen(status(http.StatusBadGateway)))
			if cut := r.get(t, path); cut.err == nil {
				t.Fatalf("got %d and all %d bytes, want a body that is cut", cut.StatusCode, len(cut.body))
			}
			o.fail(tc.unusable)
			r.get(t, path).want(t, http.StatusServiceUnavailable, nil)
			var seen ranges
			o.fail(seen.fault)
			r.get(t, path).want(t, 200, img.content)
			if seen.seen[""] > 0 {
				t.Errorf("the upstream was asked for %v, want only for what is missing", seen.seen)
			}
		})
	}
}

// cutOnceThen sends the beginning of a blob and breaks off. Whatever is asked after that fails.
func cutOnceThen(failed fault) fault {
	var once sync.Once
	return func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		first := false
		once.Do(func() { first = true })
		if !first {
			failed(w, r, next)
			return
		}
		next.ServeHTTP(&cuttingWriter{ResponseWriter: w, left: 500 << 10}, r)
	}
}
