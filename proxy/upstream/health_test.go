package upstream

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// patient is an upstream to probe, whose trouble a test chooses.
type patient struct {
	*testing.T

	mu      sync.Mutex
	trouble error
	probes  int
	said    []bool
}

func (p *patient) probe(context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.probes++
	return p.trouble
}

func (p *patient) suffer(trouble error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.trouble = trouble
}

func (p *patient) changed(up bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.said = append(p.said, up)
}

// seen is how many probes there were since the last call, and what the circuit became meanwhile.
func (p *patient) seen() (probes int, said []bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	probes, said = p.probes, p.said
	p.probes, p.said = 0, nil
	return probes, said
}

func (p *patient) want(when string, wantProbes int, wantSaid ...bool) {
	p.Helper()
	synctest.Wait()
	probes, said := p.seen()
	if probes != wantProbes {
		p.Errorf("%s: %d probes, want %d", when, probes, wantProbes)
	}
	if diff := cmp.Diff(wantSaid, said); diff != "" {
		p.Errorf("%s: the circuit became (-want +got)\n%s", when, diff)
	}
}

var (
	errRefused = &UnreachableError{Err: errors.New("connection refused")}
	errBroken  = &StatusError{Status: http.StatusBadGateway}
)

func inHealth(t *testing.T, test func(p *patient, h *health)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		p := &patient{T: t}
		h := newHealth(p.probe, p.changed)
		defer h.close()
		test(p, h)
	})
}

func elapse(d time.Duration) {
	time.Sleep(d) //nolint:forbidigo // The clock is synctest's.
	synctest.Wait()
}

func admitted(h *health) bool {
	done := h.admit()
	if done != nil {
		done()
	}
	return done != nil
}

func TestNoAnswerAndAFailedProbeOpenTheCircuit(t *testing.T) {
	inHealth(t, func(p *patient, h *health) {
		p.suffer(errRefused)
		h.unanswered(time.Now())
		p.want("after a request without an answer", 1, false)
		if admitted(h) {
			p.Error("a request is admitted while nothing answers")
		}
		p.suffer(nil)
		elapse(firstProbeDelay)
		p.want("once the fault is gone", 1, true)
		if !admitted(h) {
			p.Error("no request is admitted although a probe was answered")
		}
		elapse(time.Hour)
		p.want("when all is well", 0)
	})
}

func TestOneRequestInTroubleDoesNotOpenTheCircuit(t *testing.T) {
	inHealth(t, func(p *patient, h *health) {
		h.unanswered(time.Now())
		p.want("when the probe is answered", 1)
		for range refusalsInDoubt - 1 {
			h.answer(http.StatusInternalServerError)
		}
		p.want("after few answers of 5xx", 0)
		h.answer(http.StatusNotFound)
		h.answer(http.StatusInternalServerError)
		p.want("after an answer about another object", 0)
		for range 10 * refusalsInDoubt {
			h.answer(http.StatusInternalServerError)
			synctest.Wait()
		}
		if _, said := p.seen(); said != nil || !admitted(h) {
			p.Errorf("5xx for one object made the circuit %v", said)
		}
	})
}

func TestRepeated5xxAndAFailedProbeOpenTheCircuit(t *testing.T) {
	inHealth(t, func(p *patient, h *health) {
		p.suffer(errBroken)
		for range refusalsInDoubt {
			h.answer(http.StatusServiceUnavailable)
		}
		p.want("after 5xx in a row", 1, false)
	})
}

// An upstream that has 5xx for /v2/ alone must not stay away for ever, and no wait is saved by waiting for the probe.
func TestOneRequestAtATimeIsTriedWhileProbesAreAnswered5xx(t *testing.T) {
	inHealth(t, func(p *patient, h *health) {
		p.suffer(errBroken)
		h.unanswered(time.Now())
		synctest.Wait()
		for range 3 {
			first, second := h.admit(), h.admit()
			if first == nil || second != nil {
				p.Fatal("want one request admitted")
			}
			first()
		}
		if !admitted(h) {
			p.Error("none is admitted after the others have ended")
		}
		h.answer(http.StatusOK)
		_, said := p.seen()
		if diff := cmp.Diff([]bool{false, true}, said); diff != "" || !admitted(h) {
			p.Errorf("after a request was answered (-want +got)\n%s", diff)
		}
		elapse(time.Hour)
		p.want("when all is well", 0)
	})
}

func TestRequestsHaveTheUpstreamProbedEachSecond(t *testing.T) {
	inHealth(t, func(p *patient, h *health) {
		p.suffer(errRefused)
		h.unanswered(time.Now())
		elapse(time.Minute)
		p.seen()
		for range 100 {
			if admitted(h) {
				p.Error("a request is admitted")
			}
			elapse(100 * time.Millisecond)
		}
		if probes, _ := p.seen(); probes < 8 || probes > 11 {
			p.Errorf("%d probes in ten seconds with requests, want about ten", probes)
		}
		p.suffer(nil)
		admitted(h)
		elapse(wantedProbeDelay)
		if !admitted(h) {
			p.Error("none is admitted a second after the fault was gone")
		}
	})
}

func TestProbesComeAtMostFiveSecondsApart(t *testing.T) {
	inHealth(t, func(p *patient, h *health) {
		p.suffer(errRefused)
		h.unanswered(time.Now())
		elapse(10 * time.Second)
		if probes, _ := p.seen(); probes < 6 || probes > 8 {
			p.Errorf("%d probes in the first ten seconds", probes)
		}
		elapse(5 * time.Minute)
		if probes, _ := p.seen(); probes < 60 || probes > 81 {
			p.Errorf("%d probes in five minutes, want one every 3.75 s to 5 s", probes)
		}
	})
}

func TestAnAnswerCountsForMoreThanWhatBeganBefore(t *testing.T) {
	inHealth(t, func(p *patient, h *health) {
		began := time.Now()
		elapse(time.Second)
		h.answer(http.StatusUnauthorized)
		p.suffer(errRefused)
		h.unanswered(began)
		p.want("after another request was answered", 0)
	})
}

func TestAnAnswerDuringTheProbeKeepsTheCircuitClosed(t *testing.T) {
	inHealth(t, func(p *patient, h *health) {
		h.probe = func(ctx context.Context) error {
			_ = p.probe(ctx)
			<-ctx.Done()
			return errRefused
		}
		h.unanswered(time.Now())
		synctest.Wait()
		h.answer(http.StatusOK)
		p.want("after the answer", 1)
		if !admitted(h) {
			p.Error("no request is admitted")
		}
	})
}

func TestARequestThatWaitsLongMakesTheUpstreamDoubtful(t *testing.T) {
	inHealth(t, func(p *patient, h *health) {
		p.suffer(errRefused)
		h.expect().Stop()
		defer h.expect().Stop()
		elapse(slowAfter - time.Millisecond)
		p.want("early", 0)
		elapse(time.Millisecond)
		p.want("late", 1, false)
	})
}

func TestProbingEndsWithTheClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // It fails when a goroutine is left.
		p := &patient{T: t, trouble: errRefused}
		h := newHealth(p.probe, p.changed)
		h.unanswered(time.Now())
		synctest.Wait()
		h.close()
		h.unanswered(time.Now())
		p.want("after the end", 1, false)
		if !admitted(h) {
			t.Error("requests under way are not let end")
		}
	})
}

// faulty is an upstream that fails as a test wants.
type faulty struct {
	fault atomic.Pointer[http.HandlerFunc]
	inner http.Handler
}

func (f *faulty) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if fault := f.fault.Load(); fault != nil {
		(*fault)(w, r)
		return
	}
	f.inner.ServeHTTP(w, r)
}

func (f *faulty) fail(fault http.HandlerFunc) { f.fault.Store(&fault) }

func (f *faulty) heal() { f.fault.Store(nil) }

func answering(status int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }
}

func hang(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

func reset(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

func TestCircuitOfAClient(t *testing.T) {
	for name, fault := range map[string]http.HandlerFunc{
		"nothing answers": hang, "connections break": reset,
	} {
		t.Run(name, func(t *testing.T) {
			f := &faulty{inner: realRegistry(t, "a")}
			server, seen := serve(t, f)
			told := &telltale{}
			c := observed(t, server.URL, Timeouts{Header: 50 * time.Millisecond, Probe: 100 * time.Millisecond}, told)
			get := func() error {
				_, err := c.Manifest(t.Context(), "a", tagged(t, "v1"))
				return err
			}
			f.fail(fault)
			eventually(t, "a request is not sent", func() bool { return IsUnsent(get()) })
			before := len(withPath(seen.requests(), "/v2/a/manifests/v1"))
			for range 20 {
				if err := get(); !IsUnavailable(err) || errors.Is(err, context.Canceled) {
					t.Errorf("got %v, want unavailability", err)
				}
			}
			if got := len(withPath(seen.requests(), "/v2/a/manifests/v1")) - before; got > 0 {
				t.Errorf("%d of 20 requests were sent while the circuit was open", got)
			}
			f.heal()
			eventually(t, "a request is answered", func() bool { return get() == nil })
			eventually(t, "the observer is told", func() bool { return told.up() })
		})
	}
}

func TestUpstreamThatWas502IsWellAtOnce(t *testing.T) {
	f := &faulty{inner: realRegistry(t, "a")}
	server, _ := serve(t, f)
	told := &telltale{}
	c := observed(t, server.URL, Timeouts{}, told)
	get := func() error {
		_, err := c.Manifest(t.Context(), "a", tagged(t, "v1"))
		return err
	}
	f.fail(answering(http.StatusBadGateway))
	eventually(t, "the circuit is open", func() bool { return Status(get()) == http.StatusBadGateway && !told.up() })
	f.heal()
	if err := get(); err != nil || !told.up() {
		t.Errorf("got %v, and the circuit is closed: %v", err, told.up())
	}
}

func TestWhatIsNoTroubleOfTheUpstreamsDoesNotCount(t *testing.T) {
	gone, _ := serveFunc(t, hang)
	for name, answer := range map[string]http.HandlerFunc{
		"a refusal":                       answering(http.StatusForbidden),
		"something that is not there":     answering(http.StatusNotFound),
		"too many requests":               answering(http.StatusTooManyRequests),
		"a broken host behind a redirect": http.RedirectHandler(gone.URL, http.StatusTemporaryRedirect).ServeHTTP,
		"a token server that does not speak": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("WWW-Authenticate", `Bearer realm="`+gone.URL+`"`)
			w.WriteHeader(http.StatusUnauthorized)
		},
	} {
		t.Run(name, func(t *testing.T) {
			server, seen := serveFunc(t, answer)
			c := clientWith(t, server.URL, brief())
			for range 2 * refusalsInDoubt {
				if _, err := c.Manifest(t.Context(), "a", tagged(t, "v1")); err == nil || IsUnsent(err) {
					t.Fatalf("got %v, want the upstream's own answer", err)
				}
			}
			if got := withPath(seen.requests(), "/v2/"); len(got) != 0 {
				t.Errorf("%d probes", len(got))
			}
		})
	}
}

func TestACallerThatLeavesOrHasNoTimeDoesNotCount(t *testing.T) {
	server, seen := serveFunc(t, hang)
	c := client(t, server.URL)
	for range 2 * refusalsInDoubt {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
		if _, err := c.Manifest(ctx, "a", tagged(t, "v1")); err == nil || IsUnsent(err) {
			t.Errorf("got %v", err)
		}
		cancel()
	}
	if got := withPath(seen.requests(), "/v2/"); len(got) != 0 {
		t.Errorf("%d probes", len(got))
	}
}

func withPath(all []recorded, path string) []recorded {
	var found []recorded
	for _, r := range all {
		if r.path == path {
			found = append(found, r)
		}
	}
	return found
}
