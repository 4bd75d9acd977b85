package proxy_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/opencontainers/go-digest"

	"github.com/registryhub/registryhub/proxy"
)

// ranged is an origin of one blob that notes which bytes of it are asked for, and how many requests are there at once. What
// is not its first part waits for so many.
type ranged struct {
	*origin
	content []byte
	mu      sync.Mutex
	asked   map[string]int
	at, max int
	enough  int
	full    chan struct{}
}

func newRanged(t *testing.T, size, enough int) *ranged {
	t.Helper()
	o := &ranged{content: make([]byte, size), asked: map[string]int{}, enough: enough, full: make(chan struct{})}
	_, _ = rand.Read(o.content) // never fails
	blob := "/blobs/" + digest.FromBytes(o.content).String()
	inner := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	o.origin = &origin{Server: httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet || !strings.HasSuffix(r.URL.Path, blob) {
			inner.ServeHTTP(w, r)
			return
		}
		asked := r.Header.Get("Range")
		o.enter(asked)
		defer o.leave()
		if asked != "" && !strings.HasPrefix(asked, "bytes=0-") {
			o.await(r.Context())
		}
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(o.content))
	}))}
	t.Cleanup(o.Close)
	return o
}

func (o *ranged) enter(asked string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.asked[asked]++
	o.at++
	if o.at > o.max {
		if o.max = o.at; o.max == o.enough {
			close(o.full)
		}
	}
}

func (o *ranged) await(ctx context.Context) {
	select {
	case <-o.full:
	case <-ctx.Done():
	}
}

func (o *ranged) leave() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.at--
}

func TestABlobIsFetchedInTheSegmentsOfTheConfiguration(t *testing.T) {
	const mega = 1 << 20
	cases := map[string]struct {
		segments     string
		size, atOnce int
		want         []string
	}{
		"by default of 8 MiB and four at once": {
			"", 40 * mega, 4, []string{"bytes=0-8388607", "bytes=8388608-16777215", "bytes=16777216-25165823", "bytes=25165824-33554431", "bytes=33554432-"},
		},
		"as it is said": {
			"segments: {size: 1Mi, parallel: 2}", 3 * mega, 2, []string{"bytes=0-1048575", "bytes=1048576-2097151", "bytes=2097152-"},
		},
		"whole when it is said so": {"segments: {parallel: 1}", 24 * mega, 1, []string{""}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			o := newRanged(t, tc.size, tc.atOnce)
			img, err := mutate.AppendLayers(empty.Image, static.NewLayer(o.content, types.OCILayer))
			must(t, err)
			layer := o.push(t, "1", img)
			r := runWith(t, configuration(o.URL, t.TempDir())+"  "+tc.segments+"\n", proxy.Limits{})
			client := &http.Client{Transport: &http.Transport{}}
			defer client.CloseIdleConnections()
			root := "http://" + r.RegistryAddr().String() + "/v2/library/app/"
			if status, _ := get(t, client, root+"manifests/1"); status != http.StatusOK { // which tells the size
				t.Fatalf("the manifest: got %d, want 200", status)
			}
			resp, err := client.Get(root + "blobs/" + layer.String())
			must(t, err)
			got, _, err := v1.SHA256(resp.Body)
			must(t, errors.Join(err, resp.Body.Close()))
			client.CloseIdleConnections()
			r.end(t)
			o.mu.Lock()
			defer o.mu.Unlock()
			want := map[string]int{}
			for _, asked := range tc.want {
				want[asked] = 1
			}
			if diff := cmp.Diff(want, o.asked); diff != "" || got != layer {
				t.Errorf("got %s, and asked of the upstream (-want +got):\n%s", got, diff)
			}
			if o.max != tc.atOnce {
				t.Errorf("%d were asked for at once, want %d", o.max, tc.atOnce)
			}
		})
	}
}
