package scrub_test

import (
	"context"
	"errors"
	"fmt"
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

	"github.com/registryhub/registryhub/proxy/metrics"
	"github.com/registryhub/registryhub/proxy/scrub"
	"github.com/registryhub/registryhub/proxy/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	every = 256 * time.Hour // a part an hour
	size  = 60 << 10
	rate  = 1 << 10 // an object a minute
)

// shelf is a store of objects of one size.
type shelf struct {
	mu       sync.Mutex
	objects  map[digest.Digest]error // what its scrub fails with
	scrubbed map[digest.Digest][]time.Time
	hidden   bool // Part fails
	tidied   int
}

func newShelf(objects ...digest.Digest) *shelf {
	s := &shelf{objects: map[digest.Digest]error{}, scrubbed: map[digest.Digest][]time.Time{}}
	for _, d := range objects {
		s.objects[d] = nil
	}
	return s
}

func (s *shelf) with(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
}

func (s *shelf) Part(_ context.Context, first byte, yield func(digest.Digest) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.hidden {
		return errors.New("no answer")
	}
	prefix := fmt.Sprintf("%02x", first)
	for d := range s.objects {
		if strings.HasPrefix(d.Encoded(), prefix) {
			if err := yield(d); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *shelf) Scrub(ctx context.Context, d digest.Digest, pace func(context.Context, int64) error) (int64, error) {
	for range 2 {
		if err := pace(ctx, size/2); err != nil {
			return 0, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.scrubbed[d] = append(s.scrubbed[d], time.Now())
	err := s.objects[d]
	if errors.Is(err, store.ErrDamaged) {
		delete(s.objects, d)
	}
	return size, err
}

func (s *shelf) Tidy(context.Context) error {
	s.with(func() { s.tidied++ })
	return nil
}

func (s *shelf) times(d digest.Digest) []time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]time.Time(nil), s.scrubbed[d]...)
}

// in is object number i of a part.
func in(part byte, i int) digest.Digest {
	return digest.NewDigestFromHex("sha256", fmt.Sprintf("%02x%062x", part, i))
}

// world is a scrubber that runs, and what it tells.
type world struct {
	*scrub.Scrubber
	registry *prometheus.Registry
	mu       sync.Mutex
	lines    []string
	stop     func()
}

func run(t *testing.T, s store.Scrubbable) *world {
	t.Helper()
	w := &world{registry: prometheus.NewRegistry()}
	logger := funcr.NewJSON(func(line string) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.lines = append(w.lines, line)
	}, funcr.Options{})
	w.Scrubber = scrub.New(scrub.Options{
		Hub: "hub", Store: s, Every: every, BytesPerSecond: rate, Logger: logger, Metrics: metrics.New(w.registry),
	})
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { w.Run(ctx) })
	w.stop = sync.OnceFunc(func() {
		stop()
		running.Wait()
	})
	t.Cleanup(w.stop)
	synctest.Wait()
	return w
}

func (w *world) told(what string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for _, line := range w.lines {
		n += strings.Count(line, what)
	}
	return n
}

// forget forgets what was told.
func (w *world) forget() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lines = nil
}

func (w *world) figure(t *testing.T, name string) float64 {
	t.Helper()
	families, err := w.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	sum := 0.0
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			if family.GetName() == name {
				sum += metric.GetCounter().GetValue()
			}
		}
	}
	return sum
}

// after lets time pass.
func after(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func TestEveryObjectIsScrubbedOnceARoundAtItsRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var all []digest.Digest
		for part := range store.Parts {
			all = append(all, in(byte(part), 1), in(byte(part), 2))
		}
		s := newShelf(all...)
		w := run(t, s)
		after(every)
		for _, d := range all {
			if n := len(s.times(d)); n < 1 || n > 2 {
				t.Errorf("%s was scrubbed %d times in a round", d, n)
			}
		}
		after(every)
		for _, d := range all {
			times := s.times(d)
			if last := len(times) - 1; last < 1 || times[last].Sub(times[last-1]).Round(time.Hour) != every {
				t.Errorf("%s was scrubbed at %v", d, times)
			}
		}
		// The first object of a part takes half a minute, since its first half is read at once.
		one, two := s.times(in(7, 1))[0], s.times(in(7, 2))[0]
		if got := one.Sub(two).Abs(); got != time.Minute {
			t.Errorf("two objects of a minute each were scrubbed %s apart", got)
		}
		if got, want := w.figure(t, "registryhub_proxy_scrubbed_bytes_total"), float64(size*len(all)*2); got < want || got > want+4*size {
			t.Errorf("%v bytes were counted, want %v", got, want)
		}
		if s.tidied < 2*store.Parts {
			t.Errorf("the store was tidied %d times in two rounds", s.tidied)
		}
	})
}

func TestARestartGoesOnWhereItIsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var all []digest.Digest
		for part := range store.Parts {
			all = append(all, in(byte(part), 1))
		}
		s := newShelf(all...)
		for range 64 {
			w := run(t, s)
			after(4 * time.Hour)
			w.stop()
		}
		missed := 0
		for _, d := range all {
			if len(s.times(d)) == 0 {
				missed++
			}
		}
		if missed > 0 {
			t.Errorf("%d objects were missed in a round with 64 restarts", missed)
		}
	})
}

func TestAnotherPaceIsTakenUpAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var all []digest.Digest
		for part := range store.Parts {
			all = append(all, in(byte(part), 1))
		}
		s := newShelf(all...)
		w := run(t, s)
		scrubbed := func() (sum int) {
			for _, d := range all {
				sum += len(s.times(d))
			}
			return sum
		}
		w.SetPace(0, rate)
		synctest.Wait()
		was := scrubbed()
		after(2 * every)
		if n := scrubbed() - was; n > 0 {
			t.Errorf("%d objects were scrubbed while none should be", n)
		}
		w.SetPace(2*every, rate) // not seen: what comes last counts
		w.SetPace(every/4, rate)
		after(every / 2)
		if n := scrubbed() - was; n < 2*len(all)-2 || n > 2*len(all)+2 {
			t.Errorf("%d objects were scrubbed in two short rounds, want %d", n, 2*len(all))
		}
		was = scrubbed()
		for range 8 {
			w.SetPace(every/4, rate) // the pace that it has
			after(every / 32)
		}
		if n := scrubbed() - was; n < len(all)-2 || n > len(all)+2 {
			t.Errorf("%d objects were scrubbed in a round in which the pace was set again, want %d", n, len(all))
		}
	})
}

func TestAStoreTooLargeForItsRoundIsScrubbedAllTheSame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var all []digest.Digest
		for part := range store.Parts {
			for i := range 90 { // an hour and a half
				all = append(all, in(byte(part), i))
			}
		}
		s := newShelf(all...)
		run(t, s)
		after(2*every + time.Hour)
		for _, d := range all {
			if n := len(s.times(d)); n < 1 || n > 2 {
				t.Fatalf("%s was scrubbed %d times in two rounds", d, n)
			}
		}
	})
}

func TestWhatIsDamagedIsCountedAndToldOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShelf(in(1, 1), in(1, 2), in(1, 3), in(2, 1))
		s.objects[in(1, 1)] = fmt.Errorf("put aside: %w: %w", store.ErrDamaged, store.ErrNotFound)
		s.objects[in(1, 2)] = store.ErrNotFound
		s.objects[in(2, 1)] = errors.New("no answer")
		w := run(t, s)
		after(every + time.Hour)
		if got := w.figure(t, "registryhub_proxy_damaged_objects_total"); got != 1 {
			t.Errorf("%v damaged objects were counted, want 1", got)
		}
		if w.told("damaged object put aside") != 1 || w.told(in(1, 1).String()) != 1 {
			t.Errorf("it told %q", w.lines)
		}
		if got := w.told("store not scrubbed"); got < 1 || got > 2 {
			t.Errorf("trouble with an object was told %d times in a round", got)
		}
		s.with(func() { s.hidden = true })
		w.forget()
		after(2 * time.Hour)
		if diff := cmp.Diff(2, w.told("store not scrubbed")); diff != "" {
			t.Errorf("told of a store that cannot be listed, for two parts (-want +got):\n%s", diff)
		}
		s.with(func() { s.hidden = false })
		was := len(s.times(in(1, 3)))
		after(every)
		if len(s.times(in(1, 3))) <= was {
			t.Error("after the trouble nothing is scrubbed")
		}
	})
}

// sharedShelf is a shelf that several processes have.
type sharedShelf struct {
	*shelf
	mine *atomic.Bool
}

func (s sharedShelf) Elected(context.Context) bool { return s.mine.Load() }

func TestOfProcessesThatShareAStoreTheElectedScrubs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var all []digest.Digest
		for part := range store.Parts {
			all = append(all, in(byte(part), 1))
		}
		one, two := sharedShelf{newShelf(all...), &atomic.Bool{}}, sharedShelf{newShelf(all...), &atomic.Bool{}}
		one.mine.Store(true)
		run(t, one)
		run(t, two)
		for half := range 4 { // rounds, each process elected in every other one
			after(every/2 + 20*time.Minute)
			one.mine.Store(half%2 == 1)
			two.mine.Store(half%2 == 0)
		}
		after(2 * time.Minute)
		twice, missed := 0, 0
		for _, d := range all {
			switch n := len(one.times(d)) + len(two.times(d)); {
			case n < 2:
				missed++
			case n > 2:
				twice++
			}
		}
		if missed > 0 || twice > 8 {
			t.Errorf("in two rounds and a little %d objects were missed, and %d scrubbed three times", missed, twice)
		}
	})
}

func TestWhoIsElectedInTheMiddleOfAPartBeginsItAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var all []digest.Digest
		for i := range 20 {
			all = append(all, in(byte(time.Now().Unix()/3600), i)) // the part whose turn it is, for an hour
		}
		s := sharedShelf{newShelf(all...), &atomic.Bool{}}
		run(t, s)
		after(10 * time.Minute)
		s.mine.Store(true)
		after(30 * time.Minute)
		for _, d := range all {
			if n := len(s.times(d)); n != 1 {
				t.Errorf("%s was scrubbed %d times, want once", d, n)
			}
		}
	})
}
