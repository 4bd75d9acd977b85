package probe

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync/atomic"
	"testing"
	"time"
)

const interval = 20 * time.Millisecond

// start runs a Prober until the test ends.
func start(t *testing.T, options Options) *Prober {
	t.Helper()
	p := New(options)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		p.Run(ctx)
	}()
	t.Cleanup(func() { stop(); <-ended })
	return p
}

// await waits for a state, told by Changed alone.
func await(t *testing.T, p *Prober, target Target, want State) Health {
	t.Helper()
	timeout := time.After(time.Minute)
	for {
		if health := p.Health()[target]; health.State == want {
			return health
		}
		select {
		case <-p.Changed():
		case <-timeout:
			t.Fatalf("%s is %+v, want %s", target.Hub, p.Health()[target], want)
		}
	}
}

// hub is a server that answers or hangs up, as it is told.
type hub struct {
	down  atomic.Bool
	asked atomic.Int64
}

func newHub(t *testing.T, name string) (*hub, Target) {
	t.Helper()
	h := &hub{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		h.asked.Add(1)
		if h.down.Load() {
			panic(http.ErrAbortHandler)
		}
		_, _ = io.WriteString(w, "{}")
	}))
	t.Cleanup(server.Close)
	return h, Target{Hub: name, Endpoint: server.URL}
}

func TestAHubLivesDiesAndComesBack(t *testing.T) {
	t.Parallel()
	h, target := newHub(t, "a")
	p := start(t, Options{})
	p.Follow([]Target{target}, interval)
	await(t, p, target, Alive)
	h.down.Store(true)
	if health := await(t, p, target, Dead); health.Cause != "it closed the connection without an answer" {
		t.Errorf("cause %q", health.Cause)
	}
	h.down.Store(false)
	await(t, p, target, Alive)
}

func TestOneHubsDeathIsNotAnothers(t *testing.T) {
	t.Parallel()
	_, good := newHub(t, "good")
	refusing := Target{Hub: "refusing", Endpoint: "http://" + closedPort(t)}
	silent := Target{Hub: "silent", Endpoint: "http://" + unaccepted(t)}
	p := start(t, Options{})
	p.Follow([]Target{silent, refusing, good}, interval)
	await(t, p, good, Alive)
	await(t, p, refusing, Dead)
	await(t, p, silent, Dead)
	await(t, p, good, Alive)
}

func TestFollowing(t *testing.T) {
	t.Parallel()
	first, a := newHub(t, "a")
	_, b := newHub(t, "b")
	p := start(t, Options{})
	p.Follow([]Target{a}, interval)
	await(t, p, a, Alive)
	p.Follow([]Target{a, b}, interval)
	if got := p.Health()[a].State; got != Alive {
		t.Errorf("who is followed on is %s", got)
	}
	await(t, p, b, Alive)
	p.Follow([]Target{b}, interval)
	if got := slices.Collect(maps.Keys(p.Health())); !slices.Equal(got, []Target{b}) {
		t.Errorf("followed are %v", got)
	}
	first.down.Store(true)
	moved := Target{Hub: "b", Endpoint: a.Endpoint}
	p.Follow([]Target{moved}, interval)
	if got := p.Health()[moved].State; got != Unknown {
		t.Errorf("at another endpoint it is %s", got)
	}
	await(t, p, moved, Dead)
}

func TestWhoIsNotFollowedIsNotAsked(t *testing.T) {
	t.Parallel()
	left, a := newHub(t, "a")
	other, b := newHub(t, "b")
	p := start(t, Options{})
	p.Follow([]Target{a, b}, interval)
	await(t, p, a, Alive)
	await(t, p, b, Alive)
	p.Follow([]Target{b}, interval)
	// A question may be under way still. Once the other was asked some times more, it is over.
	awaitAsked(t, other, 3)
	before := left.asked.Load()
	awaitAsked(t, other, 10)
	if after := left.asked.Load(); after != before {
		t.Errorf("asked %d times after it was left", after-before)
	}
}

func awaitAsked(t *testing.T, h *hub, more int64) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for until := h.asked.Load() + more; h.asked.Load() < until; {
		<-tick.C
	}
}

func TestFollowingBeforeItRuns(t *testing.T) {
	t.Parallel()
	_, a := newHub(t, "a")
	_, b := newHub(t, "b")
	p := New(Options{})
	p.Follow([]Target{a}, interval)
	p.Follow([]Target{a, b}, interval)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		p.Run(ctx)
	}()
	await(t, p, b, Alive)
	stop()
	<-ended
}

func TestCertificatesThatCannotBeReadAreAFailure(t *testing.T) {
	t.Parallel()
	_, target := newHub(t, "a")
	var broken atomic.Bool
	p := start(t, Options{TLS: func(Target) (*tls.Config, error) {
		if broken.Load() {
			return nil, errors.New("reading the CA: no such file")
		}
		return &tls.Config{}, nil
	}})
	p.Follow([]Target{target}, interval)
	await(t, p, target, Alive)
	broken.Store(true)
	if health := await(t, p, target, Dead); health.Cause != "reading the CA: no such file" {
		t.Errorf("cause %q", health.Cause)
	}
}
