package powerloss

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sync/errgroup"

	"github.com/registryhub/registryhub/proxy/store"
	"github.com/registryhub/registryhub/proxy/store/fsstore"
)

const mediaType = "application/vnd.oci.image.manifest.v1+json"

var repository = store.Repository{Host: "registry.test", Name: "team/app"}

// origin is an upstream with one image.
type origin struct {
	*httptest.Server
	blob, manifest []byte
	stop           chan struct{} // while not nil, only half of the blob comes until it is closed
	late           chan struct{} // while not nil, the beginning of the blob does not come until it is closed
	segment        int64         // that the proxy is to fetch at a time; 0 is the whole
}

func newOrigin(t *testing.T, size int) *origin {
	t.Helper()
	random := rand.NewChaCha8([32]byte{1})
	o := &origin{blob: make([]byte, size)}
	_, _ = random.Read(o.blob)
	o.manifest = fmt.Appendf(nil, `{"schemaVersion":2,"mediaType":%q,"config":{"mediaType":"a/b","digest":%q,"size":2},"layers":[{"mediaType":"a/b","digest":%q,"size":%d}]}`,
		mediaType, digest.FromString("{}"), digest.FromBytes(o.blob), len(o.blob))
	o.Server = httptest.NewServer(o)
	t.Cleanup(o.Close)
	return o
}

func (o *origin) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case strings.HasSuffix(r.URL.Path, "/manifests/1"), strings.HasSuffix(r.URL.Path, digest.FromBytes(o.manifest).String()):
		w.Header().Set("Content-Type", mediaType)
		w.Header().Set("Docker-Content-Digest", digest.FromBytes(o.manifest).String())
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(o.manifest))
	case strings.HasSuffix(r.URL.Path, digest.FromBytes(o.blob).String()):
		w = &halfway{w, r, o.stop, len(o.blob) / 2}
		if asked := r.Header.Get("Range"); o.late != nil && (asked == "" || strings.HasPrefix(asked, "bytes=0-")) {
			w = &delayed{w, r, o.late}
		}
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(o.blob))
	case r.URL.Path == "/v2/":
	default:
		http.NotFound(w, r)
	}
}

// halfway waits before the second half.
type halfway struct {
	http.ResponseWriter
	r    *http.Request
	stop chan struct{}
	left int
}

func (h *halfway) Write(p []byte) (int, error) {
	if h.stop == nil || len(p) <= h.left {
		h.left -= len(p)
		return h.ResponseWriter.Write(p)
	}
	n, err := h.ResponseWriter.Write(p[:h.left])
	if err != nil {
		return n, err
	}
	h.ResponseWriter.(http.Flusher).Flush()
	select {
	case <-h.stop:
	case <-h.r.Context().Done():
	}
	return n, context.Canceled
}

// Flush implements http.Flusher.
func (h *halfway) Flush() { h.ResponseWriter.(http.Flusher).Flush() }

// delayed sends no byte until it may.
type delayed struct {
	http.ResponseWriter
	r    *http.Request
	late chan struct{}
}

func (d *delayed) Write(p []byte) (int, error) {
	d.ResponseWriter.(http.Flusher).Flush()
	select {
	case <-d.late:
	case <-d.r.Context().Done():
	}
	return d.ResponseWriter.Write(p)
}

// get reads an answer of a proxy to its end.
func get(address, path string) ([]byte, error) {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get("http://" + address + "/v2/team/app/" + path)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("status %d: %s", resp.StatusCode, body)
	}
	return body, err
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline, again := time.After(time.Minute), time.NewTicker(5*time.Millisecond)
	defer again.Stop()
	for !ok() {
		select {
		case <-again.C:
		case <-deadline:
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

func TestPowerLoss(t *testing.T) {
	needStrace(t)
	cases := map[string]struct {
		record  func(t *testing.T, o *origin, r *recorder)
		segment int64
	}{
		"in a fill that commits":       {record: recordFill},
		"in a fill that is resumed":    {record: recordResumed},
		"in a fill of many segments":   {record: recordSegments, segment: 64 << 10},
		"while an image's tag is kept": {record: recordTag},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			o := newOrigin(t, 300<<10)
			o.segment = tc.segment
			dir := t.TempDir()
			r := &recorder{dir: dir, origin: o, tracer: newTracer(dir)}
			tc.record(t, o, r)
			replay(t, o, r.tracer.done)
		})
	}
}

func recordFill(t *testing.T, o *origin, r *recorder) {
	t.Helper()
	r.run(t, syscall.SIGTERM, func(address string) { fill(t, o, r, address) })
}

func fill(t *testing.T, o *origin, r *recorder, address string) {
	t.Helper()
	d := digest.FromBytes(o.blob)
	body, err := get(address, "blobs/"+d.String())
	must(t, err)
	if !bytes.Equal(body, o.blob) {
		t.Fatalf("got %d wrong bytes", len(body))
	}
	eventually(t, "the blob is kept", func() bool { return has(t, r.dir, d) })
}

func recordResumed(t *testing.T, o *origin, r *recorder) {
	t.Helper()
	o.stop = make(chan struct{})
	r.run(t, syscall.SIGKILL, func(address string) {
		resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Get("http://" + address + "/v2/team/app/blobs/" + digest.FromBytes(o.blob).String())
		must(t, err)
		_, err = io.ReadFull(resp.Body, make([]byte, len(o.blob)/2-1000))
		must(t, err)
		must(t, resp.Body.Close())
	})
	close(o.stop)
	o.stop = nil
	r.run(t, syscall.SIGTERM, func(address string) { fill(t, o, r, address) })
}

// recordSegments has what is far ahead be there while the beginning is missing, and several transfers write beside each
// other.
func recordSegments(t *testing.T, o *origin, r *recorder) {
	t.Helper()
	o.late = make(chan struct{})
	r.run(t, syscall.SIGTERM, func(address string) {
		client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: time.Minute}
		url := "http://" + address + "/v2/team/app/blobs/" + digest.FromBytes(o.blob).String()
		whole, err := client.Get(url) // which begins the fill at the beginning
		must(t, err)
		ahead, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
		must(t, err)
		ahead.Header.Set("Range", fmt.Sprintf("bytes=%d-%d", 2*o.segment, 3*o.segment-1))
		resp, err := client.Do(ahead)
		must(t, err)
		body, err := io.ReadAll(resp.Body)
		must(t, errors.Join(err, resp.Body.Close()))
		if !bytes.Equal(body, o.blob[2*o.segment:3*o.segment]) {
			t.Fatalf("got %d wrong bytes from the middle", len(body))
		}
		close(o.late)
		must(t, whole.Body.Close())
		fill(t, o, r, address)
	})
	o.late = nil
	if !fillsGap(r.tracer.done) {
		t.Fatalf("no write filled a gap: %s", listed(r.tracer.done))
	}
}

// fillsGap reports whether a fill's file was written to before what was written of it already.
func fillsGap(done []operation) bool {
	far := map[int]int64{}
	for _, o := range done {
		if o.kind != write || path.Ext(o.path) == ".journal" {
			continue
		}
		if o.offset < far[o.node] {
			return true
		}
		far[o.node] = o.offset
	}
	return false
}

func recordTag(t *testing.T, _ *origin, r *recorder) {
	t.Helper()
	r.run(t, syscall.SIGTERM, func(address string) {
		_, err := get(address, "manifests/1")
		must(t, err)
		content, err := fsstore.Open(r.dir)
		must(t, err)
		eventually(t, "the tag is kept", func() bool {
			_, err := content.Tag(t.Context(), repository, "1")
			return err == nil
		})
	})
}

func has(t *testing.T, dir string, d digest.Digest) bool {
	t.Helper()
	content, err := fsstore.Open(dir)
	must(t, err)
	object, err := content.Open(t.Context(), d)
	if err != nil {
		return false
	}
	must(t, object.Close())
	return true
}

// replay plays every beginning of what was done, each with every loss, and looks at what is left once.
func replay(t *testing.T, o *origin, done []operation) {
	t.Helper()
	t.Logf("%d operations were recorded, %d of them syncs", len(done), count(done, syncFile)+count(done, syncFolder))
	if count(done, write) == 0 || count(done, syncFile) == 0 || count(done, syncFolder) == 0 || count(done, rename) == 0 {
		t.Fatalf("the record is not that of a store: %v", done)
	}
	seen, where := map[string]bool{}, t.TempDir()
	var group errgroup.Group
	group.SetLimit(4)
	for n := range len(done) + 1 {
		for _, lost := range losses(uint64(n)) {
			l := after(done[:n], lost)
			if key := l.key(); !seen[key] {
				seen[key] = true
				group.Go(func() error {
					if err := look(t.Context(), o, where, l); err != nil {
						return fmt.Errorf("power is lost after %d operations of\n%s\n%s: %w", n, listed(done), lost.name, err)
					}
					return nil
				})
			}
		}
	}
	if err := group.Wait(); err != nil {
		t.Error(err)
	}
	t.Logf("%d different disks were left", len(seen))
}

// losses are the kinds, with chances of their own for each beginning.
func losses(seed uint64) []loss {
	all := []loss{
		{"nothing is lost", never, never, never},
		{"all bytes that were not synced are lost", never, always, never},
		{"all bytes that were not synced are zeros", never, always, always},
		{"all names that were not synced are lost", always, never, never},
		{"all that was not synced is lost", always, always, never},
	}
	for i := range uint64(4) {
		random := rand.New(rand.NewPCG(seed, i))
		all = append(all,
			loss{fmt.Sprintf("some bytes are lost (%d, %d)", seed, i), never, chance(random, 2), chance(random, 2)},
			loss{fmt.Sprintf("some bytes and names are lost (%d, %d)", seed, i), chance(random, 4), chance(random, 2), chance(random, 2)})
	}
	return all
}

func count(done []operation, k kind) (n int) {
	for _, o := range done {
		if o.kind == k {
			n++
		}
	}
	return n
}

func listed(done []operation) string {
	var lines strings.Builder
	for i, o := range done {
		fmt.Fprintf(&lines, "%3d %s\n", i+1, o)
	}
	return lines.String()
}

// key tells disks apart.
func (l left) key() string {
	hash := sha256.New()
	for _, folder := range slices.Sorted(maps.Keys(l.folders)) {
		fmt.Fprintf(hash, "%q", folder)
	}
	for _, name := range slices.Sorted(maps.Keys(l.files)) {
		fmt.Fprintf(hash, "%q %x", name, sha256.Sum256(l.nodes[l.files[name]]))
	}
	return string(hash.Sum(nil))
}

// look starts on a disk and holds it to its promises.
func look(ctx context.Context, o *origin, where string, l left) (err error) {
	dir, err := os.MkdirTemp(where, "left-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if err := l.write(dir); err != nil {
		return err
	}
	if err := lookAtStore(ctx, o, dir); err != nil {
		return err
	}
	return lookThroughProxy(ctx, o, dir)
}

// lookAtStore looks at what the store offers without an upstream.
func lookAtStore(ctx context.Context, o *origin, dir string) error {
	content, err := fsstore.Open(dir)
	if err != nil {
		return err
	}
	for _, body := range [][]byte{o.blob, o.manifest} {
		if err := right(ctx, content, digest.FromBytes(body)); err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
	}
	tag, err := content.Tag(ctx, repository, "1")
	if err != nil {
		return onlyMissing(err)
	}
	if _, err := content.Linked(ctx, repository, tag.Digest); err != nil {
		return fmt.Errorf("a tag is there and the link of its manifest is not: %w", err)
	}
	if err := right(ctx, content, tag.Digest); err != nil {
		return fmt.Errorf("a tag is there and its manifest is not: %w", err)
	}
	for _, d := range []digest.Digest{digest.FromString("{}"), digest.FromBytes(o.blob)} {
		if _, err := content.Linked(ctx, repository, d); err != nil {
			return fmt.Errorf("a manifest is there and the link of what it names is not: %w", err)
		}
	}
	return nil
}

func onlyMissing(err error) error {
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	return err
}

// right reads an object of the store to its end.
func right(ctx context.Context, content store.Store, d digest.Digest) error {
	object, err := content.Open(ctx, d)
	if err != nil {
		return err
	}
	defer object.Close()
	section, err := object.Section(ctx, 0, object.Size())
	if err != nil {
		return err
	}
	defer section.Close()
	body, err := io.ReadAll(section)
	if err == nil && digest.FromBytes(body) != d {
		err = fmt.Errorf("the store has %d bytes as %s that have another digest", len(body), d)
	}
	return err
}

// lookThroughProxy pulls on top of what is left. What a lost write left wrong in a fill may cut a transfer, and the next
// succeeds.
func lookThroughProxy(ctx context.Context, o *origin, dir string) error {
	server, err := newProxy(dir, o.URL, o.segment)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- server.Run(ctx) }()
	address := server.RegistryAddr().String()
	err = errors.Join(
		pull(address, "manifests/1", o.manifest),
		pull(address, "blobs/"+digest.FromBytes(o.blob).String(), o.blob))
	stop()
	return errors.Join(err, <-ended)
}

func pull(address, path string, want []byte) error {
	var errs []error
	for range 3 {
		body, err := get(address, path)
		switch {
		case err == nil && bytes.Equal(body, want):
			return nil
		case err == nil:
			return fmt.Errorf("%s: %d wrong bytes were completed", path, len(body))
		}
		errs = append(errs, err)
	}
	return fmt.Errorf("%s: not completed: %w", path, errors.Join(errs...))
}
