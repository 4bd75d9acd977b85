package described_test

import (
	"context"
	"errors"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	"go.uber.org/goleak"

	"github.com/registryhub/registryhub/proxy/store"
	"github.com/registryhub/registryhub/proxy/store/described"
	"github.com/registryhub/registryhub/proxy/store/fsstore"
	"github.com/registryhub/registryhub/proxy/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestConformance(t *testing.T) {
	for name, options := range map[string]described.Options{
		"that remembers nothing for long": {Often: 1, Moment: time.Nanosecond},
		"that has room for one":           {Often: 1, Capacity: 1},
		"that remembers for long":         {Often: 1, Moment: time.Hour},
		"as it is by default":             {},
	} {
		t.Run(name, func(t *testing.T) {
			storetest.Run(t, func(t *testing.T) storetest.Opener {
				t.Helper()
				dir := t.TempDir()
				return func() store.Store {
					behind := openDir(t, dir)
					return removable{described.New(behind, options), behind}
				}
			})
		})
	}
}

// removable is what the suite asks of a store.Registry beside.
type removable struct {
	*described.Store
	store.Remover
}

// rig is a Store whose clock stands still, and what it stands in front of.
type rig struct {
	*described.Store
	behind *counting
	now    time.Time
}

var (
	repository = store.Repository{Host: "local", Name: "team/app"}
	blob       = digest.FromString("a blob")
	link       = store.Link{Digest: blob, Size: 6, Effective: repository.Name}
)

func newRig(t *testing.T, options described.Options) *rig {
	t.Helper()
	r := &rig{behind: &counting{Registry: openDir(t, t.TempDir())}, now: time.Unix(1000, 0)}
	options.Now = func() time.Time { return r.now }
	r.Store = described.New(r.behind, options)
	must(t, r.Link(t.Context(), repository, link))
	return r
}

func TestALinkIsRememberedForAMoment(t *testing.T) {
	r := newRig(t, described.Options{Often: 1})
	for range 3 {
		r.wantLinked(t, true)
	}
	r.wantReads(t, 1)
	r.now = r.now.Add(described.DefaultMoment)
	r.wantLinked(t, true)
	r.wantReads(t, 2)
}

func TestALinkIsRememberedWhenItIsAskedForOften(t *testing.T) {
	r := newRig(t, described.Options{})
	for range described.DefaultOften + 5 {
		r.wantLinked(t, true)
		r.now = r.now.Add(described.DefaultMoment / 100)
	}
	r.wantReads(t, described.DefaultOften)
	r.now = r.now.Add(described.DefaultMoment)
	for range 3 * described.DefaultOften {
		r.wantLinked(t, true)
		r.now = r.now.Add(described.DefaultMoment / (described.DefaultOften - 1))
	}
	r.wantReads(t, 4*described.DefaultOften) // not as often within a moment
}

func TestALinkIsOfItsRepositoryAlone(t *testing.T) {
	r := newRig(t, described.Options{Often: 1})
	r.wantLinked(t, true)
	if _, err := r.Linked(t.Context(), store.Repository{Host: "local", Name: "team/other"}, blob); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("in another repository: got %v, want ErrNotFound", err)
	}
}

func TestWhatIsTakenAwayIsGoneAtOnce(t *testing.T) {
	for name, take := range map[string]func(*rig, context.Context) error{
		"deleted": func(r *rig, ctx context.Context) error { return r.Unlink(ctx, repository, blob) },
		"deleted, as unused": func(r *rig, ctx context.Context) error {
			return r.UnlinkUnused(ctx, repository, blob, time.Now().Add(time.Hour))
		},
		"deleted though it is told so by none": func(r *rig, ctx context.Context) error {
			r.behind.lost = errors.New("the answer is lost")
			return ignore(r.Unlink(ctx, repository, blob), r.behind.lost)
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, described.Options{Often: 1})
			r.wantLinked(t, true)
			must(t, take(r, t.Context()))
			r.wantLinked(t, false)
			must(t, r.Link(t.Context(), repository, link))
			r.wantLinked(t, true)
		})
	}
}

func TestWhatAnotherProcessTookAwayIsGoneAfterAMoment(t *testing.T) {
	r := newRig(t, described.Options{Often: 1})
	r.wantLinked(t, true)
	must(t, r.behind.Registry.Unlink(t.Context(), repository, blob))
	r.now = r.now.Add(described.DefaultMoment - 1)
	r.wantLinked(t, true)
	r.now = r.now.Add(1)
	r.wantLinked(t, false)
}

func TestWhoRenewsALinkLearnsThatItIsGone(t *testing.T) {
	r := newRig(t, described.Options{Often: 1})
	r.wantLinked(t, true)
	must(t, r.behind.Registry.Unlink(t.Context(), repository, blob))
	if err := r.Renew(t.Context(), repository, blob); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("renewing it: got %v, want ErrNotFound", err)
	}
	r.wantLinked(t, false)
}

func TestWhatIsNotThereIsNotRemembered(t *testing.T) {
	r := newRig(t, described.Options{Often: 1})
	must(t, r.behind.Registry.Unlink(t.Context(), repository, blob))
	r.wantLinked(t, false)
	must(t, r.behind.Link(t.Context(), repository, link)) // by another process
	r.wantLinked(t, true)
}

func TestALinkThatIsTakenAwayWhileItIsReadIsNotRemembered(t *testing.T) {
	r := newRig(t, described.Options{Often: 1})
	r.behind.afterRead = func() { must(t, r.Unlink(t.Context(), repository, blob)) }
	r.wantLinked(t, true) // as it was
	r.behind.afterRead = nil
	r.wantLinked(t, false)
}

func TestNoMoreIsRememberedThanThereIsRoomFor(t *testing.T) {
	const capacity = 10
	r := newRig(t, described.Options{Often: 1, Capacity: capacity})
	var all []digest.Digest
	for i := range 10 * capacity {
		d := digest.FromString(strconv.Itoa(i))
		must(t, r.Link(t.Context(), repository, store.Link{Digest: d, Effective: repository.Name}))
		_, err := r.Linked(t.Context(), repository, d)
		must(t, err)
		all = append(all, d)
	}
	r.behind.reads.Store(0)
	for i := range all {
		_, err := r.Linked(t.Context(), repository, all[len(all)-1-i])
		must(t, err)
	}
	if remembered := int64(len(all)) - r.behind.reads.Load(); remembered < 1 || remembered > capacity {
		t.Errorf("%d links were remembered, want some and at most %d", remembered, capacity)
	}
}

func TestWhatCanBeLongIsNotRemembered(t *testing.T) {
	r := newRig(t, described.Options{Often: 1})
	d := digest.FromString("a signature")
	must(t, r.Link(t.Context(), repository, store.Link{Digest: d, Effective: repository.Name, Descriptor: "{}"}))
	for range 2 {
		_, err := r.Linked(t.Context(), repository, d)
		must(t, err)
	}
	r.wantReads(t, 2)
}

func (r *rig) wantLinked(t *testing.T, want bool) {
	t.Helper()
	got, err := r.Linked(t.Context(), repository, blob)
	switch {
	case want && (err != nil || got != link):
		t.Errorf("got %+v and %v, want the link", got, err)
	case !want && !errors.Is(err, store.ErrNotFound):
		t.Errorf("got %+v and %v, want ErrNotFound", got, err)
	}
}

func (r *rig) wantReads(t *testing.T, want int64) {
	t.Helper()
	if got := r.behind.reads.Load(); got != want {
		t.Errorf("the store was asked %d times, want %d", got, want)
	}
}

// counting counts the links that are read.
type counting struct {
	store.Registry
	reads     atomic.Int64
	afterRead func()
	lost      error
}

func (c *counting) Linked(ctx context.Context, r store.Repository, d digest.Digest) (store.Link, error) {
	found, err := c.Registry.Linked(ctx, r, d)
	c.reads.Add(1)
	if c.afterRead != nil {
		c.afterRead()
	}
	return found, err
}

func (c *counting) Unlink(ctx context.Context, r store.Repository, d digest.Digest) error {
	return errors.Join(c.Registry.Unlink(ctx, r, d), c.lost)
}

func ignore(err, expected error) error {
	if errors.Is(err, expected) {
		return nil
	}
	return err
}

func openDir(tb testing.TB, dir string) *fsstore.Store {
	tb.Helper()
	s, err := fsstore.Open(dir)
	must(tb, err)
	return s
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

func BenchmarkLinked(b *testing.B) {
	directory := openDir(b, b.TempDir())
	must(b, directory.Link(b.Context(), repository, link))
	for name, s := range map[string]store.Registry{"a directory": directory, "remembered": described.New(directory, described.Options{})} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.Linked(b.Context(), repository, blob); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
