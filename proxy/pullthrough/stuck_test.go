package pullthrough_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/registryhub/registryhub/proxy/upstream"
)

const stuckByte = 300 << 10

// stuck sends what is before stuckByte, and then neither more nor an end.
var stuck = stuckAt(stuckByte)

func TestTransferThatIsStuckIsLeftToTheNextUpstreamAndGivenUpSoon(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		faults []fault
		asked  []int // of each upstream
		whole  bool
	}{
		"one upstream":                      {[]fault{stuck}, []int{2}, false},
		"two, and the second has it":        {[]fault{stuck, nil}, []int{1, 1}, true},
		"two, both stuck":                   {[]fault{stuck, stuck}, []int{1, 1}, false},
		"three, and only the third has it":  {[]fault{stuck, stuck, nil}, []int{1, 1, 1}, true},
		"three, all stuck":                  {[]fault{stuck, stuck, stuck}, []int{1, 1, 1}, false},
		"one, and it is again after a time": {[]fault{stuckAt(100<<10, 200<<10, stuckByte)}, []int{4}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var origins []*origin
			s := setup{timeouts: upstream.Timeouts{Idle: 2 * time.Second}}
			content := random(1 << 20)
			path := "team/app/blobs/" + digest.FromBytes(content).String()
			for _, f := range tc.faults {
				o := newOrigin(t)
				o.pushBlob(t, "team/app", content)
				o.asked()
				o.fail(f)
				origins = append(origins, o)
				s.upstreams = append(s.upstreams, o.URL)
			}
			r := start(t, s)
			got := r.get(t, path)
			switch {
			case tc.whole:
				got.want(t, http.StatusOK, content)
			case !errors.Is(got.err, io.ErrUnexpectedEOF) || !bytes.Equal(got.body, content[:stuckByte]):
				t.Errorf("got %d, %d bytes, error %v, want the first %d and a cut", got.StatusCode, len(got.body), got.err, stuckByte)
			}
			for i, o := range origins {
				if asked := o.asked(); len(asked) != tc.asked[i] {
					t.Errorf("upstream %d was asked %q, want %d requests", i, asked, tc.asked[i])
				}
			}
		})
	}
}

// stuckAt is stuck at one byte after the other, and at the last for good.
func stuckAt(bytes ...int) fault {
	return func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		from := 0
		_, _ = fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-", &from)
		for _, at := range bytes {
			if at > from {
				newGate(at-from).fault(w, r, next)
				return
			}
		}
		newGate(0).fault(w, r, next)
	}
}

// dead cuts at stuckByte, and whoever comes then before a byte.
func dead(w http.ResponseWriter, r *http.Request, next http.Handler) {
	if r.Header.Get("Range") != "" {
		panic(http.ErrAbortHandler)
	}
	next.ServeHTTP(&cuttingWriter{ResponseWriter: w, left: stuckByte}, r)
}

// With a header a client would be bound to wait for a body that does not come, and has nowhere else to go then.
func TestTheRestOfWhatWasGivenUpIsLeftToTheRegistryItselfWhileItIsStuck(t *testing.T) {
	t.Parallel()
	var all sync.WaitGroup
	for name, tc := range map[string]struct {
		after time.Duration
		now   fault
		want  int
	}{
		"it is stuck":                {0, stuck, http.StatusServiceUnavailable},
		"it is stuck in a minute":    {59 * time.Second, stuck, http.StatusServiceUnavailable},
		"it is stuck but much later": {61 * time.Second, stuck, http.StatusPartialContent},
		"it is well":                 {0, nil, http.StatusPartialContent},
	} {
		o := newOrigin(t)
		img := o.pushImage(t, "team/app", "1", 1<<20)
		r := start(t, setup{upstreams: []string{o.URL}})
		path := "team/app/blobs/" + img.layer.String()
		all.Go(func() {
			o.fail(dead)
			if resp, err := r.open(t.Context(), http.MethodGet, path); err != nil {
				t.Errorf("%s: %v", name, err)
			} else if n, err := io.Copy(io.Discard, resp.Body); n != stuckByte || err == nil {
				t.Errorf("%s: got %d bytes, error %v, want %d and a cut", name, n, err, stuckByte)
			}
			r.clock.advance(tc.after)
			o.fail(tc.now)
			resp, err := r.open(t.Context(), http.MethodGet, path, "Range", fmt.Sprintf("bytes=%d-", stuckByte))
			if err != nil {
				t.Errorf("%s: %v", name, err)
				return
			}
			_ = resp.Body.Close()
			if resp.StatusCode != tc.want {
				t.Errorf("%s: got %d, want %d", name, resp.StatusCode, tc.want)
			}
		})
	}
	all.Wait()
}
