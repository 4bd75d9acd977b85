package proxy

import (
	"context"
	"net/http"
	"net/http/httptest"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestAShareIsSmallerTheMoreThereAre(t *testing.T) {
	t.Parallel()
	for answers, want := range map[int]int64{0: 16 << 20, 1: 16 << 20, 8: 2 << 20, 64: 256 << 10, 256: 64 << 10, 4096: 64 << 10} {
		var all turns
		for range answers {
			all.begin()
		}
		if got := all.share(); got != want {
			t.Errorf("of %d answers each has a share of %d bytes, want %d", answers, got, want)
		}
		for range answers {
			all.end()
		}
		if got := all.share(); got != roundOfTurns {
			t.Errorf("after %d answers the next has a share of %d bytes, want %d", answers, got, roundOfTurns)
		}
	}
}

// It is not parallel: nothing else may run on the one processor that it leaves.
func TestOthersHaveTheirTurnWhenOneHasHadItsOwn(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	one := turn{of: &turns{}}
	var had atomic.Bool
	var other sync.WaitGroup
	other.Go(func() { had.Store(true) })
	one.took(roundOfTurns - 1)
	if one.left() != leastTurn {
		t.Errorf("shortly before a turn ends %d bytes are left, want %d", one.left(), leastTurn)
	}
	one.took(1)
	if !had.Load() || one.left() != roundOfTurns {
		t.Errorf("after a turn others had theirs: %v, and %d bytes are left; want true, %d", had.Load(), one.left(), roundOfTurns)
	}
	other.Wait()
}

func TestAnAnswerIsCountedWhileItIsGiven(t *testing.T) {
	t.Parallel()
	c, _ := pair(t, time.Hour)
	var meanwhile int64
	e := &edge{limit: 1, told: unobserved{}, next: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { meanwhile = c.turn.of.answers.Load() })}
	request := httptest.NewRequestWithContext(context.WithValue(t.Context(), connectionKey{}, c), http.MethodGet, "/v2/", nil)
	e.ServeHTTP(httptest.NewRecorder(), request)
	if after := c.turn.of.answers.Load(); meanwhile != 1 || after != 0 {
		t.Errorf("%d answers are given meanwhile and %d after it, want 1 and 0", meanwhile, after)
	}
}

// TLS writes; without it the kernel sends files.
func TestWhatIsWrittenIsOfATurn(t *testing.T) {
	t.Parallel()
	c, _ := pair(t, time.Hour)
	if _, err := c.Write(make([]byte, 1000)); err != nil || c.turn.sent != 1000 {
		t.Errorf("after 1000 bytes were written (%v) %d of a turn were sent", err, c.turn.sent)
	}
}
