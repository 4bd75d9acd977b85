package upstream

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/registryhub/registryhub/proxy/distspec"
)

// errOpen is the cause of a request that is not sent because the upstream was found not to answer.
var errOpen = errors.New("the upstream has not answered lately, not even a probe: it is asked again once it answers one")

// send sends one request through authorization and redirects, and returns the answer if its status is one of want.
func (c *Client) send(ctx context.Context, method string, what request, want ...int) (*http.Response, error) {
	r, err := what.build(ctx, method, c.base)
	if err != nil {
		return nil, err
	}
	done, err := c.admit(r, what.Kind)
	if err != nil {
		return nil, err
	}
	defer done()
	began, doubt := time.Now(), c.health.expect() //nolint:contextcheck // Probes outlive the request.
	resp, err := c.follower.do(r)
	doubt.Stop()
	if err != nil {
		c.learnFromError(r, began, err)
		return nil, err
	}
	c.learnFromAnswer(resp) //nolint:contextcheck // Probes outlive the request.
	if slices.Contains(want, resp.StatusCode) {
		return resp, nil
	}
	err = statusError(resp)
	c.pauses.learn(what.Kind, err)
	return nil, err
}

// admit is the error of a request that is better not sent, or else what is to be called when it was.
func (c *Client) admit(r *http.Request, kind distspec.Kind) (done func(), err error) {
	if err := c.pauses.check(kind); err != nil {
		return nil, err
	}
	if done = c.health.admit(); done == nil {
		return nil, unsentError{&UnreachableError{Where: whereOf(r), Err: errOpen}}
	}
	return done, nil
}

// learnFromAnswer takes what the upstream itself says; where redirects led is another host's business.
func (c *Client) learnFromAnswer(resp *http.Response) {
	if !c.guard.isUpstream(resp.Request.URL) {
		c.health.answer(http.StatusTemporaryRedirect) // The upstream's own answer.
		return
	}
	c.health.answer(resp.StatusCode)
	if said, ok := rateLimitOf(resp.Header); ok {
		c.rateLimit.Store(&said)
		c.observers.rateLimit(c.name, said.Limit, said.Remaining)
	}
}

// learnFromError takes what concerns the upstream: not a caller that left or had no more time, and not a token server
// or a host behind a redirect that does not answer.
func (c *Client) learnFromError(r *http.Request, began time.Time, err error) {
	mine := r.Context().Err() == nil || errors.Is(context.Cause(r.Context()), errStalled)
	if e, ok := errors.AsType[*UnreachableError](err); ok && mine && e.Host == c.base.Host() {
		c.health.unanswered(began) //nolint:contextcheck // Probes outlive the request.
	}
}

// probe asks the upstream for what every registry has, without authorization. Any answer below 500 will do.
func (c *Client) probe(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, c.timeouts.Probe)
	defer cancel()
	r, err := request{Request: distspec.Request{Kind: distspec.KindBase}}.build(ctx, http.MethodGet, c.base)
	if err != nil {
		return err
	}
	resp, err := c.wire.RoundTrip(r)
	if err != nil {
		c.wire.CloseIdleConnections() // What is idle has most likely died with the upstream.
		return transportError(r, err)
	}
	if resp.StatusCode >= http.StatusInternalServerError {
		return statusError(resp)
	}
	discard(resp)
	return nil
}
