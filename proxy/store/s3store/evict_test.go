package s3store_test

import (
	"errors"
	"os"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/registryhub/registryhub/hack/s3server"
	"github.com/registryhub/registryhub/proxy/store"
	"github.com/registryhub/registryhub/proxy/store/s3store"
)

func TestUseByOneReplicaKeepsAnotherFromEvicting(t *testing.T) {
	p := newPlace(t)
	one, two := p.open(t), p.elsewhere(t).open(t)
	d := put(t, one, "a layer")
	longAgo := time.Now().Add(-3 * time.Hour)
	must(t, os.Chtimes(p.file(d), longAgo, longAgo))
	if at := accessed(t, two, d); time.Since(at) < 2*time.Hour {
		t.Fatalf("last access is %s, want that of when it was written: %s", at, longAgo)
	}
	want(t, one, []byte("a layer"))
	if at := accessed(t, two, d); time.Since(at) > time.Hour {
		t.Errorf("last access is %s, and it was read just now", at)
	}
	if err := two.Remove(t.Context(), d, longAgo.Add(time.Hour)); !errors.Is(err, store.ErrInUse) {
		t.Errorf("removing it: got error %v, want ErrInUse", err)
	}
	must(t, two.Remove(t.Context(), d, time.Now().Add(time.Hour)))
	if _, err := os.Stat(p.mark(d)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("its mark is still there: %v", err)
	}
}

func TestUseIsMarkedOnceAnHour(t *testing.T) {
	p := newPlace(t)
	s := p.open(t)
	young, old := put(t, s, "young"), put(t, s, "old")
	longAgo := time.Now().Add(-2 * time.Hour)
	must(t, os.Chtimes(p.file(old), longAgo, longAgo))
	want(t, s, []byte("young"))
	if _, err := os.Stat(p.mark(young)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("what was just written is marked (%v)", err)
	}
	want(t, s, []byte("old"))
	must(t, os.Remove(p.mark(old)))
	want(t, s, []byte("old"))
	if _, err := os.Stat(p.mark(old)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("it is marked twice within the hour (%v)", err)
	}
}

func TestUsageIsOfTheObjectsAndKnownToAll(t *testing.T) {
	p := newPlace(t)
	put(t, p.open(t), "0123456789")
	evictor := p.open(t)
	wantUsage(t, evictor, 10)
	d := put(t, evictor, "01234")
	wantUsage(t, evictor, 15)
	must(t, evictor.Remove(t.Context(), d, time.Now().Add(time.Hour)))
	wantUsage(t, evictor, 10)
	evictor.SetMaxSize(5)
	if usage, err := evictor.Usage(t.Context()); err != nil || usage.Capacity != 5 {
		t.Errorf("usage is %+v, %v, want a capacity of 5", usage, err)
	}
}

func TestOneReplicaIsElectedUntilItIsSilent(t *testing.T) {
	p := newPlace(t)
	p.change = func(o *s3store.Options) { o.Timeouts.Lease = 2 * time.Second }
	one, two := p.open(t), p.elsewhere(t).open(t)
	for range 2 {
		if !one.Elected(t.Context()) {
			t.Fatal("the first to ask is not elected, or does not stay so")
		}
	}
	if two.Elected(t.Context()) {
		t.Fatal("two are elected")
	}
	await(t, "the other is elected, since the first is silent", func() bool { return two.Elected(t.Context()) })
	await(t, "the first knows", func() bool {
		return two.Elected(t.Context()) && !one.Elected(t.Context())
	})
}

func TestElectionNeedsTheServer(t *testing.T) {
	p := newPlace(t)
	p.bucket = "no-such-bucket"
	if p.open(t).Elected(t.Context()) {
		t.Error("elected without a bucket")
	}
}

func TestLeftoverFillsMakeRoomForNewOnes(t *testing.T) {
	p := newPlace(t)
	p.change = func(o *s3store.Options) { o.MaxScratch = 64 << 10 }
	s := p.open(t)
	left := fill(t, s, "left", 40<<10)
	must(t, left.Close())
	going := fill(t, s, "going", 4<<10)
	if n, err := going.WriteAt(make([]byte, 61<<10), 4<<10); err == nil || errors.Is(err, store.ErrNoSpace) || n > 0 {
		t.Errorf("more than there is room for: %d bytes, error %v, want one that has nothing evicted from the bucket", n, err)
	}
	_, err := going.WriteAt(make([]byte, 56<<10), 4<<10)
	must(t, err)
	must(t, going.Discard())
	again := fill(t, s, "left", 60<<10)
	if len(again.Left()) > 0 {
		t.Errorf("the fill that was left is there still: %v", again.Left())
	}
	must(t, again.Discard())
}

func fill(t *testing.T, s store.Store, name string, size int) store.Partial {
	t.Helper()
	partial, err := s.Partial(t.Context(), digest.FromString(name), -1)
	must(t, err)
	_, err = partial.WriteAt(make([]byte, size), 0)
	must(t, err)
	return partial
}

func wantUsage(t *testing.T, s *s3store.Store, want int64) {
	t.Helper()
	if usage, err := s.Usage(t.Context()); err != nil || usage.Used != want {
		t.Errorf("usage is %+v, %v, want %d bytes used", usage, err, want)
	}
}

func accessed(t *testing.T, s store.Evictable, d digest.Digest) (at time.Time) {
	t.Helper()
	must(t, s.Walk(t.Context(), func(e store.Entry) error {
		if e.Digest == d {
			at = e.LastAccess
		}
		return nil
	}))
	return at
}

// await asks until it is so, or has waited for far too long.
func await(t *testing.T, what string, so func() bool) {
	t.Helper()
	inVain := time.After(time.Minute)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !so() {
		select {
		case <-tick.C:
		case <-inVain:
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

var _ s3store.Credentials = s3store.Directory("")

func TestCredentialsAreReadAnew(t *testing.T) {
	p, dir := newPlace(t), t.TempDir()
	p.change = func(o *s3store.Options) { o.Credentials = s3store.Directory(dir) }
	s := p.open(t)
	for name, tc := range map[string]struct {
		secret string
		want   error
	}{
		"wrong": {"wrong", store.ErrFailing}, "rotated": {s3server.SecretAccessKey + "\n", nil}, "empty": {"", store.ErrFailing},
	} {
		must(t, os.WriteFile(dir+"/"+s3store.AccessKeyIDKey, []byte(s3server.AccessKeyID), 0o600))
		must(t, os.WriteFile(dir+"/"+s3store.SecretAccessKeyKey, []byte(tc.secret), 0o600))
		if err := s.Probe(t.Context()); !errors.Is(err, tc.want) {
			t.Errorf("%s: got error %v, want %v", name, err, tc.want)
		}
	}
}
