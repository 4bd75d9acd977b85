package upstream

import (
	"context"
	"net/http"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
)

// credential is what a request to the upstream carries. The zero value is none.
type credential struct {
	challenge challenge
	header    string
	issued    time.Time
	expires   time.Time
	// renewAt is when the next one is fetched, while this one still serves.
	renewAt time.Time
}

const (
	// maxAhead bounds the last fifth of a credential's life, in which it is renewed ahead.
	maxAhead = 5 * time.Minute
	// minRetry is between two tries to renew ahead. They come at half of what is left each time.
	minRetry = time.Second
)

// renewedAhead is the credential with the time to renew it.
func (c credential) renewedAhead() credential {
	c.renewAt = c.expires.Add(-min(c.expires.Sub(c.issued)/5, maxAhead))
	return c
}

// apply is the request with the credential on it.
func (c credential) apply(r *http.Request) *http.Request {
	if c.header == "" {
		return r
	}
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", c.header)
	return r
}

// exchanger makes a credential from a challenge.
type exchanger interface {
	exchange(ctx context.Context, repository string, c challenge) (credential, error)
}

// authorizer keeps one credential for each repository, whose scope it has, for its lifetime, and has concurrent
// callers share one exchange. Failures are not kept, but a token server that wants to be left alone is.
type authorizer struct {
	exchanger exchanger
	timeout   time.Duration
	flights   singleflight.Group
	pauses    pauses

	mu   sync.Mutex
	kept map[string]credential
	// last is the challenge seen last, with no scope. The next repository is asked for by it beforehand, which
	// saves a request that would be challenged.
	last challenge
}

// maxCredentials bounds what is kept: of so many repositories at once, the credential that expires first is given
// up.
const maxCredentials = 1024

func newAuthorizer(e exchanger, timeout time.Duration) *authorizer {
	return &authorizer{exchanger: e, timeout: timeout, kept: map[string]credential{}}
}

// authorize is the credential to send beforehand; none as long as the upstream has not challenged anybody. One that
// nears its end is renewed behind the request, which goes on with it.
func (a *authorizer) authorize(ctx context.Context, repository string) (credential, error) {
	now := time.Now()
	a.mu.Lock()
	kept, last := a.kept[repository], a.last
	due := now.Before(kept.expires) && !now.Before(kept.renewAt)
	if due {
		kept.renewAt = now.Add(max(kept.expires.Sub(now)/2, minRetry))
		a.kept[repository] = kept
	}
	a.mu.Unlock()
	if due {
		a.begin(ctx, repository, kept.challenge, kept) // Nobody waits, and a failure is none while the old one lives.
	}
	if now.Before(kept.expires) || last == (challenge{}) {
		return kept, nil
	}
	return a.obtain(ctx, repository, last, kept)
}

// renew answers a challenge to a request that carried a credential and began at a time. more is false when another
// try would not go better.
func (a *authorizer) renew(ctx context.Context, repository string, c challenge, used credential, began time.Time) (next credential, more bool, err error) {
	c = c.forRepository(repository)
	if used.challenge == c && !used.issued.Before(began) {
		return used, false, nil
	}
	a.learn(c)
	next, err = a.obtain(ctx, repository, c, used)
	return next, err == nil && next.header != used.header, err
}

func (a *authorizer) learn(c challenge) {
	c.scope = ""
	a.mu.Lock()
	defer a.mu.Unlock()
	a.last = c
}

// obtain makes a credential to take the place of used, or finds the one that another caller has made meanwhile.
func (a *authorizer) obtain(ctx context.Context, repository string, c challenge, used credential) (credential, error) {
	select {
	case <-ctx.Done():
		return credential{}, ctx.Err()
	case result := <-a.begin(ctx, repository, c, used):
		made, _ := result.Val.(credential)
		return made, result.Err
	}
}

// begin begins an exchange, or joins the one under way. It is nobody's own: it goes on when the caller leaves, up to
// the time-out.
func (a *authorizer) begin(ctx context.Context, repository string, c challenge, used credential) <-chan singleflight.Result {
	return a.flights.DoChan(repository, func() (any, error) {
		if made, ok := a.newer(repository, used); ok {
			return made, nil
		}
		if err := a.pauses.check(kindToken); err != nil {
			return credential{}, err
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), a.timeout)
		defer cancel()
		made, err := a.exchanger.exchange(ctx, repository, c)
		if err == nil {
			a.keep(repository, made)
		}
		a.pauses.learn(kindToken, err)
		return made, err
	})
}

func (a *authorizer) newer(repository string, used credential) (credential, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	kept, found := a.kept[repository]
	return kept, found && kept.header != used.header && time.Now().Before(kept.expires)
}

func (a *authorizer) keep(repository string, made credential) {
	if made.header == "" {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, replaces := a.kept[repository]; !replaces && len(a.kept) >= maxCredentials {
		a.dropFirstToExpire()
	}
	a.kept[repository] = made.renewedAhead()
}

func (a *authorizer) dropFirstToExpire() {
	var first string
	for repository, kept := range a.kept {
		if first == "" || kept.expires.Before(a.kept[first].expires) {
			first = repository
		}
	}
	delete(a.kept, first)
}

// forget drops a credential that was refused, so that the next request reads the files again.
func (a *authorizer) forget(repository string, refused credential) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.kept[repository].header == refused.header {
		delete(a.kept, repository)
	}
}
