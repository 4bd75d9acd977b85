package census_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr"
	"github.com/opencontainers/go-digest"
	"go.uber.org/goleak"

	"github.com/registryhub/registryhub/proxy/census"
	"github.com/registryhub/registryhub/proxy/store"
)

// anything is what a part holds.
const anything = digest.Digest("sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// shelf is a store of which nothing but the names is wanted.
type shelf struct {
	store.Scrubbable
	mu      sync.Mutex
	objects int           // of each part
	slow    time.Duration // how long each part takes
	hidden  bool
	counts  int
}

func (s *shelf) Part(ctx context.Context, first byte, yield func(digest.Digest) error) error {
	s.mu.Lock()
	objects, slow, hidden := s.objects, s.slow, s.hidden
	if first == 0 {
		s.counts++
	}
	s.mu.Unlock()
	if hidden {
		return errors.New("no answer")
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(slow):
	}
	for range objects {
		if err := yield(anything); err != nil {
			return err
		}
	}
	return nil
}

func (s *shelf) with(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
}

func (s *shelf) counted() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.counts
}

func run(t *testing.T, s *shelf) *census.Census {
	t.Helper()
	c := census.New(census.Options{Hub: "hub", Store: s, Logger: logr.Discard()})
	if n, known := c.Objects(); known {
		t.Errorf("%d objects are known before any was counted", n)
	}
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { c.Run(ctx) })
	t.Cleanup(func() {
		stop()
		running.Wait()
	})
	synctest.Wait()
	return c
}

func after(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func want(t *testing.T, when string, c *census.Census, want int64) {
	t.Helper()
	if got, known := c.Objects(); !known || got != want {
		t.Errorf("%s: %d objects (known: %v), want %d", when, got, known, want)
	}
}

func TestObjectsAreCountedAgainAndAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &shelf{objects: 3}
		c := run(t, s)
		after(time.Second)
		want(t, "at first", c, 3*store.Parts)
		s.with(func() { s.objects = 7 })
		after(census.AtMostEvery / 2)
		want(t, "before a minute is over", c, 3*store.Parts)
		after(census.AtMostEvery)
		want(t, "after a minute", c, 7*store.Parts)
		s.with(func() { s.hidden = true })
		after(census.AtMostEvery)
		want(t, "when the store cannot be listed", c, 7*store.Parts)
		s.with(func() { s.hidden, s.objects = false, 0 })
		after(census.AtMostEvery)
		want(t, "when it is empty", c, 0)
	})
}

func TestALargeStoreIsCountedSeldom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &shelf{objects: 1, slow: time.Second}
		c := run(t, s)
		if n, known := c.Objects(); known {
			t.Errorf("%d objects are known while they are counted", n)
		}
		after(24 * time.Hour)
		want(t, "after a day", c, store.Parts)
		if n := s.counted(); n != 1 { // for 256 s, and then not for 256000 s
			t.Errorf("it was counted %d times in a day, want once", n)
		}
		after(50 * time.Hour)
		if n := s.counted(); n != 2 {
			t.Errorf("it was counted %d times in three days, want twice", n)
		}
	})
}
