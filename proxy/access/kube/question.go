package kube

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/singleflight"
	"golang.org/x/time/rate"
	"k8s.io/apimachinery/pkg/util/cache"

	"github.com/registryhub/registryhub/proxy/metrics"
)

const (
	// patience is how long an answer is waited for, the time until it is asked included.
	patience = 5 * time.Second
	// maxUnderWay is how many questions of one kind the API server is asked at once, mostPerSecond how many in the long run, after
	// a burst, and maxWaiting how many wait for that, before the next is not taken.
	maxUnderWay   = 16
	mostPerSecond = 50
	burst         = 100
	maxWaiting    = 256
	// yesKept and noKept are how long an answer is believed. Who was just given a right tries again.
	yesKept = 10 * time.Second
	noKept  = 3 * time.Second
	// maxKept is how many answers of either kind are kept at once. Each has a place of its own, so that what nobody knows does not
	// take that of who is known.
	maxKept = 4096
)

// errBusy: more is asked than the API server is to be asked.
var errBusy = errors.New("too many questions wait for the API server")

// answer is what became of a question.
type answer[T any] struct {
	value T
	// yes has it kept longer.
	yes bool
}

// questions of one kind. Each is asked once at a time, however many want to know, and its answer is kept for a moment. It is
// safe for use by several goroutines.
type questions[T any] struct {
	count   func(metrics.ReviewOutcome)
	salt    [32]byte
	flight  singleflight.Group
	waiting chan struct{}
	slots   chan struct{}
	pace    *rate.Limiter
	yes, no *cache.LRUExpireCache
}

func newQuestions[T any](of metrics.Review, figures *metrics.Metrics) *questions[T] {
	q := &questions[T]{
		count:   func(outcome metrics.ReviewOutcome) { figures.Reviewed(of, outcome) },
		waiting: make(chan struct{}, maxWaiting), slots: make(chan struct{}, maxUnderWay),
		pace: rate.NewLimiter(mostPerSecond, burst),
		yes:  cache.NewLRUExpireCache(maxKept), no: cache.NewLRUExpireCache(maxKept),
	}
	_, _ = rand.Read(q.salt[:]) // never fails
	return q
}

// ask returns the answer to a question, which a text names whole. The question goes on when who asked first leaves.
func (q *questions[T]) ask(ctx context.Context, text string, put func(context.Context) (answer[T], error)) (T, error) {
	key := q.key(text)
	if known, found := q.known(key); found {
		return known, nil
	}
	asked := q.flight.DoChan(key, func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
		defer cancel()
		got, err := q.put(ctx, put)
		switch {
		case err == nil:
			q.count(metrics.ReviewAnswered)
			q.keep(key, got)
		case errors.Is(err, errBusy):
			q.count(metrics.ReviewHeldBack)
		default:
			q.count(metrics.ReviewFailed)
		}
		return got.value, err
	})
	select {
	case <-ctx.Done():
		var nothing T
		return nothing, ctx.Err()
	case result := <-asked:
		return result.Val.(T), result.Err
	}
}

// put waits for its turn.
func (q *questions[T]) put(ctx context.Context, put func(context.Context) (answer[T], error)) (answer[T], error) {
	select {
	case q.waiting <- struct{}{}:
		defer func() { <-q.waiting }()
	default:
		return answer[T]{}, errBusy
	}
	select {
	case q.slots <- struct{}{}:
		defer func() { <-q.slots }()
	case <-ctx.Done():
		return answer[T]{}, errBusy
	}
	if q.pace.Wait(ctx) != nil {
		return answer[T]{}, errBusy
	}
	return put(ctx)
}

func (q *questions[T]) known(key string) (T, bool) {
	for _, kept := range []*cache.LRUExpireCache{q.yes, q.no} {
		if value, found := kept.Get(key); found {
			return value.(T), true
		}
	}
	var nothing T
	return nothing, false
}

func (q *questions[T]) keep(key string, got answer[T]) {
	if got.yes {
		q.yes.Add(key, got.value, yesKept)
		return
	}
	q.no.Add(key, got.value, noKept)
}

// key stands for a question, so that no token is kept.
func (q *questions[T]) key(text string) string {
	sum := sha256.New()
	sum.Write(q.salt[:])
	fmt.Fprint(sum, text)
	return string(sum.Sum(nil))
}
