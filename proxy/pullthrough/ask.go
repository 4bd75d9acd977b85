package pullthrough

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/registryhub/registryhub/proxy/distspec"
	"github.com/registryhub/registryhub/proxy/upstream"
)

var (
	errSlow    = errors.New("the upstream has not answered in time")
	errNoSize  = errors.New("the upstream does not say how large the blob is")
	errNoParts = errors.New("the upstream sends the whole blob where a part was asked for")
)

// againAfter is how long a passing trouble gets to pass.
const againAfter = 100 * time.Millisecond

// ask asks one upstream after the other until one gives a final answer. An answer that cannot be used, a time-out,
// 408, 429 and 5xx are none, nor is a refusal (404, 401, 403) of one that stands in for one in trouble, which may have
// what it has not. When all of them are in trouble that may have passed the next moment, they are asked once
// more.
func ask[T any](ctx context.Context, upstreams []*upstream.Client, question func(*upstream.Client) (T, error)) (T, error) {
	answer, troubles, err := askEach(ctx, upstreams, question)
	if len(troubles) == len(upstreams) && !slices.ContainsFunc(troubles, func(err error) bool { return !upstream.IsPassing(err) }) &&
		pause(ctx, againAfter) == nil {
		answer, troubles, err = askEach(ctx, upstreams, question)
	}
	return answer, errors.Join(err, asOne(troubles))
}

// askOnce is ask for who tries again by himself.
func askOnce[T any](ctx context.Context, upstreams []*upstream.Client, question func(*upstream.Client) (T, error)) (T, error) {
	answer, troubles, err := askEach(ctx, upstreams, question)
	return answer, errors.Join(err, asOne(troubles))
}

// askEach returns a final answer, or the troubles of those that were asked.
func askEach[T any](ctx context.Context, upstreams []*upstream.Client, question func(*upstream.Client) (T, error)) (T, []error, error) {
	var none T
	var troubles []error
	for _, u := range upstreams {
		answer, err := question(u)
		if err == nil || final(err) && len(troubles) == 0 {
			return answer, nil, err
		}
		if final(err) {
			last := &troubles[len(troubles)-1]
			*last = fmt.Errorf("%w; in its place: %s", *last, err.Error())
			break
		}
		troubles = append(troubles, err)
		if ctx.Err() != nil {
			break
		}
	}
	return none, troubles, nil //nolint:nilerr // the troubles are those errors
}

func asOne(troubles []error) error {
	if len(troubles) == 0 {
		return nil
	}
	return unavailable(troubles...)
}

// unavailable is 503 with the Retry-After of the upstream that asks for the least. One that names none may be well again
// at any moment.
func unavailable(troubles ...error) *distspec.Error {
	e := distspec.Unavailable(errors.Join(troubles...))
	for i, trouble := range troubles {
		var after time.Duration
		if answer, ok := errors.AsType[*upstream.StatusError](trouble); ok {
			after = answer.RetryAfter
		}
		if i == 0 || after < e.RetryAfter {
			e.RetryAfter = after
		}
	}
	return e
}

// endError is the answer of a question that another upstream must not be asked after: what it wraps is final.
type endError struct{ error }

func (e endError) Unwrap() error { return e.error }

func final(err error) bool {
	_, end := errors.AsType[endError](err)
	return end || upstream.IsNotFound(err) || upstream.IsUnauthorized(err)
}

// asError makes what a client is told of an upstream's error: 404 and 403 only for what the upstream said in so many
// words, 503 for everything else.
func asError(err error, unknown func(error) *distspec.Error) error {
	if _, ok := errors.AsType[*distspec.Error](err); ok || errors.Is(err, context.Canceled) {
		return err
	}
	switch {
	case upstream.IsNotFound(err):
		return unknown(err)
	case upstream.IsUnauthorized(err):
		return distspec.Denied(err)
	default:
		return unavailable(err)
	}
}

// isTrouble reports whether err says that the upstream could not be asked, so that what is known already helps.
func isTrouble(err error) bool {
	e, ok := errors.AsType[*distspec.Error](err)
	return ok && e.Status == 503
}

// counted counts a request to an upstream, if there was one.
func (m *Mirror) counted(u *upstream.Client, kind string, err error) error {
	if upstream.IsUnsent(err) {
		return err
	}
	code := upstream.Status(err)
	if err == nil {
		code = 200
	}
	m.Metrics.UpstreamRequest(u.Name(), kind, code)
	return err
}

// asUnavailable makes any error of a transfer that cannot be finished one that sends the client elsewhere.
func asUnavailable(err error) error {
	if errors.Is(err, context.Canceled) {
		return err
	}
	if e, ok := errors.AsType[*distspec.Error](err); ok && e.Status == http.StatusServiceUnavailable {
		return e
	}
	return distspec.Unavailable(err)
}
