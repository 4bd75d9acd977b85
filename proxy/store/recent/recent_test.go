package recent_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"
	"go.uber.org/goleak"

	"github.com/registryhub/registryhub/proxy/store"
	"github.com/registryhub/registryhub/proxy/store/fsstore"
	"github.com/registryhub/registryhub/proxy/store/recent"
	"github.com/registryhub/registryhub/proxy/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestConformance(t *testing.T) {
	// Several processes on one place agree after a moment: here the moment is over at once, or nothing has room.
	for name, options := range map[string]recent.Options{
		"that believes nothing for long":  {Moment: time.Nanosecond},
		"that has no room":                {Capacity: 1},
		"that believes what it read long": {Moment: time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			storetest.Run(t, func(t *testing.T) storetest.Opener {
				t.Helper()
				dir := t.TempDir()
				return func() store.Store { return recent.New(openDir(t, dir), options) }
			})
		})
	}
}

// rig is a Store whose clock stands still, and what it stands in front of.
type rig struct {
	*recent.Store
	behind *counting
	now    time.Time
}

var repository = store.Repository{Host: "docker.io", Name: "library/debian"}

func newRig(t *testing.T, capacity int64) *rig {
	t.Helper()
	r := &rig{behind: &counting{Store: openDir(t, t.TempDir())}, now: time.Unix(1000, 0)}
	r.Store = recent.New(r.behind, recent.Options{Capacity: capacity, Now: func() time.Time { return r.now }})
	return r
}

func TestWhatWasJustReadIsNotReadAgain(t *testing.T) {
	r := newRig(t, 0)
	d := r.put(t, "a manifest")
	must(t, r.Link(t.Context(), repository, store.Link{Digest: d, Effective: "a"}))
	must(t, r.SetTag(t.Context(), repository, "v1", store.Tag{Digest: d}))
	for range 3 {
		r.want(t, d, "a manifest")
	}
	r.wantReads(t, 3)
	r.now = r.now.Add(recent.DefaultMoment)
	r.want(t, d, "a manifest")
	r.wantReads(t, 6)
}

func TestWhatIsWrittenIsSeenAtOnce(t *testing.T) {
	r := newRig(t, 0)
	one, two := r.put(t, "one"), r.put(t, "two")
	must(t, r.Link(t.Context(), repository, store.Link{Digest: one, Effective: "a"}))
	must(t, r.SetTag(t.Context(), repository, "v1", store.Tag{Digest: one}))
	r.want(t, one, "one")
	must(t, r.Link(t.Context(), repository, store.Link{Digest: one, Effective: "b"}))
	must(t, r.SetTag(t.Context(), repository, "v1", store.Tag{Digest: two}))
	if link, err := r.Linked(t.Context(), repository, one); err != nil || link.Effective != "b" {
		t.Errorf("the link leads to %q (%v), want b", link.Effective, err)
	}
	if tag, err := r.Tag(t.Context(), repository, "v1"); err != nil || tag.Digest != two {
		t.Errorf("the tag names %s (%v), want %s", tag.Digest, err, two)
	}
	must(t, r.DeleteTag(t.Context(), repository, "v1"))
	if _, err := r.Tag(t.Context(), repository, "v1"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a deleted tag: %v, want ErrNotFound", err)
	}
}

func TestWhatIsWrittenDuringAReadIsNotHiddenByIt(t *testing.T) {
	r := newRig(t, 0)
	d := r.put(t, "a manifest")
	must(t, r.SetTag(t.Context(), repository, "v1", store.Tag{Digest: d, Upstream: "before"}))
	r.behind.afterRead = func() { must(t, r.SetTag(t.Context(), repository, "v1", store.Tag{Digest: d, Upstream: "after"})) }
	_, err := r.Tag(t.Context(), repository, "v1")
	must(t, err)
	r.behind.afterRead = nil
	if tag, err := r.Tag(t.Context(), repository, "v1"); err != nil || tag.Upstream != "after" {
		t.Errorf("the tag is what it was %s the write (%v)", tag.Upstream, err)
	}
}

func TestWhatOthersRemovedIsGoneAfterAMoment(t *testing.T) {
	r := newRig(t, 0)
	d := r.put(t, "evicted")
	if _, err := r.Open(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	behind := r.behind.Store.(store.Remover)
	must(t, behind.Remove(t.Context(), d, time.Now().Add(time.Hour)))
	r.now = r.now.Add(recent.DefaultMoment)
	if _, err := r.Open(t.Context(), d); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("an object that was removed a moment ago: %v, want ErrNotFound", err)
	}
}

func TestOnlySmallObjectsAreKept(t *testing.T) {
	tests := map[string]struct {
		size, capacity, reads int64
	}{
		"a small one is":                {64 << 10, 1 << 20, 1},
		"a large one is not":            {64<<10 + 1, 1 << 20, 2},
		"nor what there is no room for": {64 << 10, 64 << 10, 2},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, tc.capacity)
			d := r.put(t, strings.Repeat("x", int(tc.size)))
			for range 2 {
				object, err := r.Open(t.Context(), d)
				must(t, err)
				must(t, object.Close())
			}
			r.wantReads(t, tc.reads)
		})
	}
}

func TestTheOldestGoesForWantOfRoom(t *testing.T) {
	r := newRig(t, 5<<10)
	one, two, three := r.put(t, strings.Repeat("1", 1000)), r.put(t, strings.Repeat("2", 1000)), r.put(t, strings.Repeat("3", 1000))
	for _, d := range []digest.Digest{one, two, three, three, two, one} {
		object, err := r.Open(t.Context(), d)
		must(t, err)
		must(t, object.Close())
	}
	r.wantReads(t, 4) // the first one again
}

// want reads all three things there are of an object.
func (r *rig) want(t *testing.T, d digest.Digest, content string) {
	t.Helper()
	link, err := r.Linked(t.Context(), repository, d)
	must(t, err)
	tag, err := r.Tag(t.Context(), repository, "v1")
	must(t, err)
	object, err := r.Open(t.Context(), d)
	must(t, err)
	section, err := object.Section(t.Context(), 0, object.Size())
	must(t, err)
	var body bytes.Buffer
	_, err = io.Copy(&body, section)
	must(t, err)
	must(t, errors.Join(section.Close(), object.Close()))
	want := []string{d.String(), d.String(), content}
	if diff := cmp.Diff(want, []string{link.Digest.String(), tag.Digest.String(), body.String()}); diff != "" {
		t.Errorf("link, tag and object (-want +got):\n%s", diff)
	}
}

func (r *rig) wantReads(t *testing.T, want int64) {
	t.Helper()
	if got := r.behind.reads.Load(); got != want {
		t.Errorf("the store behind was read %d times, want %d", got, want)
	}
}

func (r *rig) put(t *testing.T, data string) digest.Digest {
	t.Helper()
	d := digest.FromString(data)
	proof, err := store.Prove(d, []byte(data))
	must(t, err)
	must(t, r.Put(t.Context(), proof, []byte(data)))
	return d
}

// counting counts what is read.
type counting struct {
	store.Store
	reads     atomic.Int64
	afterRead func()
}

func (c *counting) read() {
	c.reads.Add(1)
	if c.afterRead != nil {
		c.afterRead()
	}
}

func (c *counting) Linked(ctx context.Context, r store.Repository, d digest.Digest) (store.Link, error) {
	defer c.read()
	return c.Store.Linked(ctx, r, d)
}

func (c *counting) Tag(ctx context.Context, r store.Repository, tag string) (store.Tag, error) {
	defer c.read()
	return c.Store.Tag(ctx, r, tag)
}

func (c *counting) Open(ctx context.Context, d digest.Digest) (store.Object, error) {
	defer c.read()
	return c.Store.Open(ctx, d)
}

func openDir(t *testing.T, dir string) *fsstore.Store {
	t.Helper()
	s, err := fsstore.Open(dir)
	must(t, err)
	return s
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
