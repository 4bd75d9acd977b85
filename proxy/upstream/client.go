package upstream

import (
	"context"
	"fmt"
	"net/http"
	"slices"

	config "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/proxy/distspec"
)

// Client is the client of one upstream. It is safe for concurrent use.
//
// A repository is always given by the name before the upstream's prefix, which the client puts in front.
type Client struct {
	name     string
	base     distspec.Base
	timeouts Timeouts
	follower *follower
	close    func()
}

// New makes a client. It reads the CA file, once, and makes no request. Credentials are read at each exchange of a
// token, so that a file that is missing now may come later.
func New(cfg config.UpstreamConfiguration, timeouts Timeouts) (*Client, error) {
	timeouts = timeouts.withDefaults()
	base, err := distspec.ParseBase(cfg.URL)
	if err != nil {
		return nil, fmt.Errorf("upstream %q: %w", cfg.Name, err)
	}
	transport, err := newTransport(cfg.CAFile, timeouts)
	if err != nil {
		return nil, fmt.Errorf("upstream %q: %w", cfg.Name, err)
	}
	guard := newGuard(base)
	auth := newAuthorizer(&tokenServer{guard: guard, source: newCredentialSource(cfg, base), inner: transport}, timeouts.Token)
	return &Client{
		name:     cfg.Name,
		base:     base,
		timeouts: timeouts,
		follower: &follower{guard: guard, inner: &authTransport{guard: guard, auth: auth, inner: transport}},
		close:    transport.CloseIdleConnections,
	}, nil
}

// Name is the upstream's configured name.
func (c *Client) Name() string { return c.name }

// Host is the upstream's host, with its port where its URL has one, in lower case: what rules.Fallback and cache
// keys want.
func (c *Client) Host() string { return c.base.Host() }

// Close closes the connections that are idle. Requests under way go on.
func (c *Client) Close() { c.close() }

// send sends one request through authorization and redirects, and returns the answer if its status is one of want.
func (c *Client) send(ctx context.Context, method string, what request, want ...int) (*http.Response, error) {
	r, err := what.build(ctx, method, c.base)
	if err != nil {
		return nil, err
	}
	resp, err := c.follower.do(r)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(want, resp.StatusCode) {
		return nil, statusError(resp)
	}
	return resp, nil
}
