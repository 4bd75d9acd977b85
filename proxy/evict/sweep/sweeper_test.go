package sweep_test

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr/funcr"
	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/registryhub/registryhub/proxy/evict"
	"github.com/registryhub/registryhub/proxy/evict/sweep"
	"github.com/registryhub/registryhub/proxy/metrics"
	"github.com/registryhub/registryhub/proxy/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// shelf is a store of numbered objects of one byte each.
type shelf struct {
	mu       sync.Mutex
	capacity int64
	objects  map[digest.Digest]time.Time
	inUse    map[digest.Digest]bool
	failing  map[digest.Digest]bool
	unseen   bool          // Usage fails
	held     chan struct{} // Walk waits for it
	walks    int
	looked   int
}

func newShelf(capacity int64) *shelf {
	open := make(chan struct{})
	close(open)
	return &shelf{capacity: capacity, objects: map[digest.Digest]time.Time{}, inUse: map[digest.Digest]bool{}, failing: map[digest.Digest]bool{}, held: open}
}

func named(i int) digest.Digest { return digest.FromString(strconv.Itoa(i)) }

// put adds objects first..last, each used an hour after the one before it, the last an hour ago.
func (s *shelf) put(first, last int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := first; i <= last; i++ {
		s.objects[named(i)] = time.Now().Add(time.Duration(i-last-1) * time.Hour)
	}
}

func (s *shelf) with(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
}

// left are the numbers of what is there.
func (s *shelf) left() []int {
	s.mu.Lock()
	defer s.mu.Unlock()
	var left []int
	for i := range 1000 {
		if _, ok := s.objects[named(i)]; ok {
			left = append(left, i)
		}
	}
	return left
}

func (s *shelf) Usage(context.Context) (store.Usage, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.unseen {
		return store.Usage{}, errors.New("no answer")
	}
	return store.Usage{Capacity: s.capacity, Used: int64(len(s.objects))}, nil
}

func (s *shelf) Walk(ctx context.Context, yield func(store.Entry) error) error {
	s.with(func() { s.walks++ })
	select {
	case <-s.held:
	case <-ctx.Done():
		return ctx.Err()
	}
	return s.Sample(ctx, 1000, yield)
}

func (s *shelf) Sample(_ context.Context, atLeast int, yield func(store.Entry) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for d, at := range s.objects {
		if atLeast--; atLeast < 0 {
			break
		}
		s.looked++
		if err := yield(store.Entry{Digest: d, Size: 1, LastAccess: at}); err != nil {
			return err
		}
	}
	return nil
}

func (s *shelf) Remove(_ context.Context, d digest.Digest, unusedSince time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	at, ok := s.objects[d]
	switch {
	case !ok:
		return store.ErrNotFound
	case s.inUse[d], at.After(unusedSince):
		return store.ErrInUse
	case s.failing[d]:
		return errors.New("removing failed")
	}
	delete(s.objects, d)
	return nil
}

// world is a sweeper that runs, and what it tells.
type world struct {
	*sweep.Sweeper
	registry *prometheus.Registry
	mu       sync.Mutex
	lines    []string
}

func run(t *testing.T, s store.Evictable, maxIdle time.Duration) *world {
	t.Helper()
	w := &world{registry: prometheus.NewRegistry()}
	logger := funcr.NewJSON(func(line string) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.lines = append(w.lines, line)
	}, funcr.Options{})
	w.Sweeper = sweep.New(sweep.Options{
		Hub: "hub", Store: s, Logger: logger, Metrics: metrics.New(w.registry),
		Policy: evict.Policy{HighWatermarkPercent: 90, LowWatermarkPercent: 80, MaxIdle: maxIdle},
	})
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { w.Run(ctx) })
	t.Cleanup(func() {
		stop()
		running.Wait()
	})
	synctest.Wait()
	return w
}

// after lets time pass.
func after(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func (w *world) told(message string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(slices.DeleteFunc(slices.Clone(w.lines), func(line string) bool { return !strings.Contains(line, message) }))
}

// gauge is what a metric without labels says.
func (w *world) gauge(t *testing.T, name string) float64 {
	t.Helper()
	families, err := w.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() == name {
			return family.GetMetric()[0].GetGauge().GetValue()
		}
	}
	t.Fatalf("there is no metric %s", name)
	return 0
}

func wantLeft(t *testing.T, s *shelf, want ...int) {
	t.Helper()
	if diff := cmp.Diff(want, s.left()); diff != "" {
		t.Errorf("left (-want +got):\n%s", diff)
	}
}

// numbers from first to last.
func numbers(first, last int) []int {
	var all []int
	for i := first; i <= last; i++ {
		all = append(all, i)
	}
	return all
}

func wantFigures(t *testing.T, w *world, want sweep.Figures) {
	t.Helper()
	if diff := cmp.Diff(want, w.Figures()); diff != "" {
		t.Errorf("figures (-want +got):\n%s", diff)
	}
}

func TestOverTheHighWatermarkTheOldestGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShelf(100)
		s.put(1, 90)
		w := run(t, s, 0)
		wantLeft(t, s, numbers(1, 90)...)
		wantFigures(t, w, sweep.Figures{Usage: store.Usage{Capacity: 100, Used: 90}})
		s.with(func() {
			s.objects[named(2)] = time.Now() // asked for since the scan
			s.inUse[named(3)] = true
			s.objects[named(91)] = time.Now()
		})
		after(sweep.Every)
		wantLeft(t, s, append([]int{2, 3}, numbers(14, 91)...)...)
		evicted := sweep.Figures{Usage: store.Usage{Capacity: 100, Used: 80}, LastEviction: time.Now()}
		wantFigures(t, w, evicted)
		after(sweep.Every)
		wantFigures(t, w, evicted)
		if w.told("objects evicted") != 1 || w.told(`"objects":11,"bytes":11,"reasons":["watermark"],"sampled":false`) != 1 {
			t.Errorf("it told %q", w.lines)
		}
		if used := w.gauge(t, "registryhub_proxy_store_used_bytes"); used != 80 {
			t.Errorf("after the eviction the store is said to hold %v", used)
		}
	})
}

func TestUntilScannedSamplesGiveUpTheirOldest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShelf(500)
		s.held = make(chan struct{})
		s.put(0, 499)
		w := run(t, s, 0)
		left := s.left()
		if len(left) != 400 || w.told(`"sampled":true`) != 1 {
			t.Errorf("%d are left, want 400; it told %q", len(left), w.lines)
		}
		if s.looked > 100*sweepCost {
			t.Errorf("%d objects were looked at for 100 that went", s.looked)
		}
		young := 0
		for _, i := range left {
			if i >= 250 {
				young++
			}
		}
		if young < 230 {
			t.Errorf("of the younger half %d are left, want nearly all 250", young)
		}
		close(s.held)
		synctest.Wait()
		s.put(500, 560)
		after(sweep.Every)
		if len(s.left()) != 400 || w.told(`"sampled":false`) != 1 {
			t.Errorf("%d are left, want 400; it told %q", len(s.left()), w.lines)
		}
	})
}

// sweepCost is how many objects may be looked at for one that goes.
const sweepCost = 8

func TestFullBelowTheHighWatermark(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShelf(100)
		s.put(1, 85)
		w := run(t, s, 0)
		after(sweep.Every)
		wantLeft(t, s, numbers(1, 85)...)
		w.Kick()
		w.Kick()
		synctest.Wait()
		wantLeft(t, s, numbers(6, 85)...)
		if w.told(`"reasons":["full"]`) != 1 {
			t.Errorf("it told %q", w.lines)
		}
	})
}

func TestIdleObjectsExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShelf(1000)
		s.put(1, 40) // the first 40 h ago
		w := run(t, s, 24*time.Hour)
		wantLeft(t, s, numbers(17, 40)...)
		s.with(func() { s.objects[named(20)] = time.Now() })
		after(10 * time.Hour)
		wantLeft(t, s, append([]int{20}, numbers(27, 40)...)...)
		after(13*time.Hour + time.Minute)
		wantLeft(t, s, 20)
		after(time.Hour)
		wantLeft(t, s)
		if w.told(`"reasons":["idle"]`) == 0 || s.walks > 3 {
			t.Errorf("after %d scans it told %q", s.walks, w.lines)
		}
	})
}

func TestWhatStaysFullIsNotScannedAllTheTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShelf(10)
		s.put(1, 10)
		for i := range 11 {
			s.inUse[named(i)] = true
		}
		w := run(t, s, 0)
		after(time.Hour)
		wantLeft(t, s, numbers(1, 10)...)
		if s.walks > 7 {
			t.Errorf("it was scanned %d times in an hour", s.walks)
		}
		if w.told("store stays over") != 1 || w.told("within its watermarks") != 0 {
			t.Errorf("in an hour it told %q", w.lines)
		}
		if !w.Short() {
			t.Error("it does not say that it is short of room")
		}
		s.with(func() { clear(s.inUse) })
		after(sweep.Every)
		wantLeft(t, s, numbers(3, 10)...)
		if w.told("objects evicted") != 1 || w.told("within its watermarks") != 1 {
			t.Errorf("it told %q", w.lines)
		}
		if w.Short() {
			t.Error("it is short of room for ever")
		}
	})
}

func TestTroubleIsToldAndPasses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShelf(10)
		s.put(1, 10)
		s.unseen = true
		s.failing[named(1)] = true
		w := run(t, s, 0)
		if w.told("store not measured") == 0 {
			t.Errorf("it told %q", w.lines)
		}
		s.with(func() { s.unseen = false })
		after(2 * sweep.Every)
		wantLeft(t, s, append([]int{1}, numbers(4, 10)...)...)
		if w.told("store not swept") != 1 {
			t.Errorf("it told %q", w.lines)
		}
	})
}

func TestAnotherPolicyIsAppliedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShelf(100)
		s.put(1, 60)
		w := run(t, s, 0)
		wantLeft(t, s, numbers(1, 60)...)
		w.SetPolicy(evict.Policy{HighWatermarkPercent: 99, LowWatermarkPercent: 98}) // is not seen
		w.SetPolicy(evict.Policy{HighWatermarkPercent: 50, LowWatermarkPercent: 40})
		synctest.Wait()
		wantLeft(t, s, numbers(21, 60)...)
	})
}

// sharedShelf is a shelf that several processes have.
type sharedShelf struct {
	*shelf
	mine atomic.Bool
}

func (s *sharedShelf) Elected(context.Context) bool { return s.mine.Load() }

func TestOnlyWhoIsElectedLooksForWhatGoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sharedShelf{shelf: newShelf(100)}
		s.put(1, 91)
		w := run(t, s, 0)
		after(sweep.Every)
		wantLeft(t, s.shelf, numbers(1, 91)...)
		wantElected(t, w, 0)
		if s.walks > 0 || s.looked > 0 {
			t.Errorf("it scanned %d times and looked at %d objects", s.walks, s.looked)
		}
		s.mine.Store(true)
		after(sweep.Every)
		after(sweep.Every)
		if left := len(s.left()); left != 80 {
			t.Errorf("%d are left, want 80: it is elected", left)
		}
		wantElected(t, w, 1)
	})
}

func wantElected(t *testing.T, w *world, want float64) {
	t.Helper()
	if got := w.gauge(t, "registryhub_proxy_elected"); got != want {
		t.Errorf("registryhub_proxy_elected is %v, want %v", got, want)
	}
}

func TestWhoIsNotElectedMakesRoomForWhatItAloneCouldNotWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sharedShelf{shelf: newShelf(100)}
		s.put(1, 91)
		w := run(t, s, 0)
		w.Kick()
		synctest.Wait()
		wantLeft(t, s.shelf, numbers(1, 91)...)
		s.with(func() { delete(s.objects, named(91)) })
		w.Kick()
		synctest.Wait()
		if left := len(s.left()); left != 80 {
			t.Errorf("%d are left, want 80: nobody else knows that there is no room", left)
		}
	})
}

func TestWhoIsElectedNoMoreIsShortNoMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sharedShelf{shelf: newShelf(10)}
		s.mine.Store(true)
		s.put(1, 10)
		for i := range 11 {
			s.inUse[named(i)] = true
		}
		w := run(t, s, 0)
		if !w.Short() {
			t.Error("it does not say that it is short of room")
		}
		s.mine.Store(false)
		after(sweep.Every)
		if w.Short() {
			t.Error("it is short of room for ever")
		}
	})
}
