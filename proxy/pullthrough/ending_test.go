package pullthrough_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/registryhub/registryhub/proxy/pullthrough"
	"github.com/registryhub/registryhub/proxy/store"
)

// endings are those of a store's fills, as a test wants them.
type endings struct {
	store.Store
	// commit is called in the place of the store's.
	commit func(commit, discard func() error) error
	// ended is closed when a fill is gone or kept.
	ended func()
	// mayRead holds the readers of requests.
	mayRead <-chan struct{}
}

func (s endings) Partial(ctx context.Context, d digest.Digest, size int64) (store.Partial, error) {
	p, err := s.Store.Partial(ctx, d, size)
	return &endingPartial{Partial: p, of: s}, err
}

type endingPartial struct {
	store.Partial
	of endings
}

func (p *endingPartial) Commit(ctx context.Context, proof store.Proof) error {
	defer p.of.ended()
	if p.of.commit == nil {
		return p.Partial.Commit(ctx, proof)
	}
	return p.of.commit(func() error { return p.Partial.Commit(ctx, proof) }, p.Partial.Discard)
}

func (p *endingPartial) Discard() error {
	defer p.of.ended()
	return p.Partial.Discard()
}

func (p *endingPartial) Reader(ctx context.Context) (store.Reader, error) {
	if p.of.mayRead != nil && ctx.Value(http.ServerContextKey) != nil {
		select {
		case <-p.of.mayRead:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return p.Partial.Reader(ctx)
}

func noRoom(_, discard func() error) error { return errors.Join(store.ErrNoSpace, discard()) }

// promptly is get for who may be left waiting for good when the mirror is at fault.
func (r *rig) promptly(t *testing.T, path string) reply {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	resp, err := r.open(ctx, http.MethodGet, path)
	must(t, err)
	body, err := io.ReadAll(resp.Body)
	must(t, resp.Body.Close())
	return reply{Response: resp, body: body, err: err}
}

func TestReadersHaveTheEndBeforeTheStoreHasMadeItDurable(t *testing.T) {
	t.Parallel()
	for name, parts := range map[string]pullthrough.Segments{"one transfer": {}, "segments": segments} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newOrigin(t)
			img := o.pushImage(t, "team/app", "1", 4*step)
			synced := make(chan struct{})
			durable := sync.OnceFunc(func() { close(synced) })
			r := start(t, setup{upstreams: []string{o.URL}, segments: parts, wrap: func(s store.Store) store.Store {
				return endings{Store: s, ended: func() {}, commit: func(commit, _ func() error) error {
					<-synced
					return commit()
				}}
			}})
			t.Cleanup(durable)
			path := "team/app/blobs/" + img.layer.String()
			r.promptly(t, path).want(t, http.StatusOK, img.content)
			o.asked()
			r.promptly(t, path).want(t, http.StatusOK, img.content) // who comes now needs no other transfer
			wantAsked(t, o)
			if _, err := openStore(t, r.dir).Open(t.Context(), img.layer); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("the blob is in the store already: %v", err)
			}
			durable()
			r.settle(t, img.layer)
		})
	}
}

// The reader takes its first byte when the fill is gone.
func TestReaderLosesNothingWhenTheStoreCannotMakeItDurable(t *testing.T) {
	t.Parallel()
	o, slow := newOrigin(t), newSlow()
	img := o.pushImage(t, "team/app", "1", 1<<20)
	g, ended := newGate(300<<10), make(chan struct{})
	var told atomic.Int64
	r := start(t, setup{
		upstreams: []string{o.URL}, handler: slow.handler, full: func() { told.Add(1) },
		wrap: func(s store.Store) store.Store {
			return endings{Store: s, commit: noRoom, ended: sync.OnceFunc(func() { close(ended) })}
		},
	})
	t.Cleanup(g.release)
	t.Cleanup(slow.wake)
	o.fail(g.fault)
	path := "team/app/blobs/" + img.layer.String()
	got := make(chan reply, 1)
	go func() { got <- r.get(t, path, slowly, "yes") }()
	<-slow.stuck
	g.release()
	<-ended
	eventually(t, "somebody is told that the store is full", func() bool { return told.Load() == 1 })
	slow.wake()
	(<-got).want(t, http.StatusOK, img.content)
	wantAsked(t, o, "GET "+path)
	if kept := r.counted(t, "store_errors_total")[""]; kept != 1 {
		t.Errorf("%v errors of the store are counted, want 1", kept)
	}
}

// Each of those who come too late for a fill's bytes would ask for himself.
func TestWhoComesTooLateForTheBytesOfAFill(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		trouble fault
		status  int
		more    []string // of the upstream
	}{
		"which were wrong is sent elsewhere":             {flipped(0), http.StatusServiceUnavailable, nil},
		"which could not be kept gets them all the same": {nil, http.StatusOK, []string{"HEAD ", "GET "}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o, ended := newOrigin(t), make(chan struct{})
			img := o.pushImage(t, "team/app", "1", 1<<20)
			o.fail(tc.trouble)
			r := start(t, setup{upstreams: []string{o.URL}, wrap: func(s store.Store) store.Store {
				return endings{Store: s, commit: noRoom, ended: sync.OnceFunc(func() { close(ended) }), mayRead: ended}
			}})
			path := "team/app/blobs/" + img.layer.String()
			got := r.get(t, path)
			got.want(t, tc.status, nil)
			if tc.status == http.StatusOK {
				got.want(t, tc.status, img.content)
			}
			want := []string{"GET " + path}
			for _, method := range tc.more {
				want = append(want, method+path)
			}
			wantAsked(t, o, want...)
		})
	}
}

// Where there is another upstream, nobody who has no byte needs to see that the first was wrong.
func TestWhoComesTooLateForWrongBytesGetsThoseOfTheNextUpstream(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		second fault
		asks   string
		status int
		asked  bool
	}{
		"which are right":      {nil, "", http.StatusOK, true},
		"which are wrong too":  {flipped(0), "", http.StatusServiceUnavailable, true},
		"but not what follows": {nil, "bytes=1000-", http.StatusServiceUnavailable, false},
		"and a piece of them":  {nil, "bytes=0-999", http.StatusPartialContent, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			first, second, ended := newOrigin(t), newOrigin(t), make(chan struct{})
			img := first.pushImage(t, "team/app", "1", 1<<20)
			second.pushBlob(t, "team/app", img.content)
			first.fail(flipped(0))
			second.fail(tc.second)
			r := start(t, setup{upstreams: []string{first.URL, second.URL}, wrap: func(s store.Store) store.Store {
				return endings{Store: s, ended: sync.OnceFunc(func() { close(ended) }), mayRead: ended}
			}})
			path := "team/app/blobs/" + img.layer.String()
			got := r.get(t, path, "Range", tc.asks)
			switch tc.status {
			case http.StatusOK:
				got.want(t, tc.status, img.content)
			case http.StatusPartialContent:
				got.want(t, tc.status, img.content[:1000])
			default:
				wantIncomplete(t, got)
			}
			wantAsked(t, first, "GET "+path)
			if asked := second.asked(); (len(asked) > 0) != tc.asked {
				t.Errorf("the second upstream was asked %q", asked)
			}
		})
	}
}
