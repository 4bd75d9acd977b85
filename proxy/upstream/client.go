package upstream

import (
	"fmt"
	"sync/atomic"

	config "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/proxy/distspec"
)

// Client is the client of one upstream. It is safe for concurrent use.
//
// A repository is always given by the name before the upstream's prefix, which the client puts in front.
type Client struct {
	name      string
	base      distspec.Base
	timeouts  Timeouts
	guard     *guard
	wire      *wire
	closing   *closing
	follower  *follower
	health    *health
	pauses    pauses
	observers observers
	rateLimit atomic.Pointer[RateLimit] // nil until the upstream spoke of one
}

// New makes a client, whose observers are told what it learns of its upstream. It reads the files of certificates, and
// looks at them again before each request, so that changed ones are used without dropping what is under way. It makes
// no request. Credentials are read at each exchange of a token, so that a file that is missing now may come later.
func New(cfg config.UpstreamConfiguration, timeouts Timeouts, told ...Observer) (*Client, error) {
	return newClient(cfg, timeouts, nil, told)
}

// NewWithin makes a client that goes nowhere but where the reach allows.
func NewWithin(reach Reach, cfg config.UpstreamConfiguration, timeouts Timeouts, told ...Observer) (*Client, error) {
	return newClient(cfg, timeouts, &reach, told)
}

func newClient(cfg config.UpstreamConfiguration, timeouts Timeouts, reach *Reach, told []Observer) (*Client, error) {
	c := &Client{name: cfg.Name, timeouts: timeouts.withDefaults(), observers: told}
	var err error
	if c.base, err = distspec.ParseBase(cfg.URL); err != nil {
		return nil, fmt.Errorf("upstream %q: %w", cfg.Name, err)
	}
	c.guard = newGuard(c.base)
	c.wire, err = newWire(c.guard, tlsFilesOf(cfg), c.timeouts, reach, func(err error) { c.observers.filesRefused(c.name, err) })
	if err != nil {
		return nil, fmt.Errorf("upstream %q: %w", cfg.Name, err)
	}
	c.closing = &closing{inner: c.wire}
	auth := newAuthorizer(&tokenServer{guard: c.guard, source: newCredentialSource(cfg, c.base), inner: c.closing}, c.timeouts.Token)
	c.follower = &follower{guard: c.guard, inner: &authTransport{guard: c.guard, auth: auth, inner: c.closing}}
	c.health = newHealth(c.probe, func(up bool) { c.observers.up(c.name, up) })
	return c, nil
}

// Name is the upstream's configured name.
func (c *Client) Name() string { return c.name }

// Host is the upstream's host, with its port where its URL has one, in lower case: what rules.Fallback and cache
// keys want.
func (c *Client) Host() string { return c.base.Host() }

// Announce tells the observers whether the upstream is asked, which they are told otherwise when that changes alone.
func (c *Client) Announce() { c.health.announce() }

// Reachable is whether the upstream answers, as far as requests and probes have shown. Known is false while none was made.
func (c *Client) Reachable() (up, known bool) { return c.health.found() }

// RateLimit is what the upstream last said of its limit; false when it said nothing.
func (c *Client) RateLimit() (said RateLimit, ok bool) {
	if last := c.rateLimit.Load(); last != nil {
		return *last, true
	}
	return RateLimit{}, false
}

// Close ends what goes on behind the requests, and closes the connections that are idle, now and whenever the last request
// has ended. Requests under way go on, and further ones are possible, so that whoever still has the client can end what
// it does.
func (c *Client) Close() {
	c.health.close()
	c.closing.close()
}
