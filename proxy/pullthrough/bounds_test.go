package pullthrough_test

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/registryhub/registryhub/proxy/pullthrough"
)

// crowd holds the requests for blobs, those for the first segment excepted, and lets them go one by one.
type crowd struct {
	mu      sync.Mutex
	at, max int
	mayGo   chan struct{}
}

func (c *crowd) fault(w http.ResponseWriter, r *http.Request, next http.Handler) {
	if r.Method == http.MethodGet && strings.Contains(r.URL.Path, "/blobs/") && r.Header.Get("Range") != fmt.Sprintf("bytes=0-%d", step-1) {
		c.count(1)
		select {
		case <-c.mayGo:
		case <-r.Context().Done():
		}
		c.count(-1) // before the answer, after which the next may come
	}
	next.ServeHTTP(w, r)
}

func (c *crowd) count(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at += n
	c.max = max(c.max, c.at)
}

func (c *crowd) atLeast(n int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at >= n
}

// disperse lets all go, until done, when n are there and nobody else has come for as long as many other requests take.
func (c *crowd) disperse(t *testing.T, r *rig, n int, all *errgroup.Group) {
	t.Helper()
	eventually(t, fmt.Sprintf("%d requests are there", n), func() bool { return c.atLeast(n) })
	for range 200 {
		r.get(t, "").want(t, http.StatusOK, nil)
	}
	done := make(chan error, 1)
	go func() { done <- all.Wait() }()
	for {
		select {
		case c.mayGo <- struct{}{}:
		case err := <-done:
			must(t, err)
			if c.max > n {
				t.Errorf("%d requests were there at once, want at most %d", c.max, n)
			}
			return
		}
	}
}

// fetch gets a piece of a blob, or all of it.
func (r *rig) fetch(t *testing.T, img image, from, to int) error {
	t.Helper()
	resp, err := r.open(t.Context(), http.MethodGet, "team/app/blobs/"+img.layer.String(), "Range", fmt.Sprintf("bytes=%d-%d", from, to))
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	var body bytes.Buffer
	if _, err := body.ReadFrom(resp.Body); err != nil {
		return err
	}
	if !bytes.Equal(body.Bytes(), img.content[from:to+1]) {
		return errors.New("the bytes are not those of the blob")
	}
	return nil
}

func TestBlobsWaitForTheirTurnToBeFilled(t *testing.T) {
	t.Parallel()
	o, held := newOrigin(t), &crowd{mayGo: make(chan struct{})}
	r := start(t, setup{upstreams: []string{o.URL}})
	r.mirror.Bound(2, 1)
	var all errgroup.Group
	o.fail(held.fault)
	for i := range 5 {
		img := o.pushImage(t, "team/app", strconv.Itoa(i), 1000+i)
		all.Go(func() error { return r.fetch(t, img, 0, 999+i) })
	}
	held.disperse(t, r, 2, &all)
}

// Each blob has a transfer of its own, whatever the others have.
func TestTransfersBesideTheirBlobsFirstAreBoundedOverAllBlobs(t *testing.T) {
	t.Parallel()
	o, held := newOrigin(t), &crowd{mayGo: make(chan struct{})}
	r := start(t, setup{upstreams: []string{o.URL}, segments: segments})
	r.mirror.Bound(2, 1)
	var all errgroup.Group
	o.fail(held.fault)
	for i := range 2 {
		img := o.pushImage(t, "team/app", strconv.Itoa(i), 9*step+i)
		r.get(t, "team/app/manifests/"+strconv.Itoa(i)).want(t, 200, img.body)
		all.Go(func() error { return r.fetch(t, img, 0, 9*step+i-1) })
	}
	held.disperse(t, r, 2+1, &all)
}

func TestTransfersForThoseWhoWaitFarAheadAreBoundedForEachBlob(t *testing.T) {
	t.Parallel()
	o, held := newOrigin(t), &crowd{mayGo: make(chan struct{})}
	r := start(t, setup{upstreams: []string{o.URL}, segments: segments})
	img := o.pushImage(t, "team/app", "1", 44*step)
	r.get(t, "team/app/manifests/1").want(t, 200, img.body)
	o.fail(held.fault)
	var all errgroup.Group
	all.Go(func() error { return r.fetch(t, img, 0, 44*step-1) })
	for i := range 2 * pullthrough.MaxAside {
		from := (10 + 2*i) * step
		all.Go(func() error { return r.fetch(t, img, from, from+step-1) })
	}
	held.disperse(t, r, segments.Parallel+pullthrough.MaxAside, &all)
}
