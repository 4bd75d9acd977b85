package upstream

import (
	"context"
	"fmt"
	"net/http"

	"github.com/registryhub/registryhub/proxy/distspec"
)

// userAgent names the client to upstreams, whose operators want to know who asks.
const userAgent = "registryhub"

// request is what is asked of an upstream.
type request struct {
	distspec.Request
	query         string
	accept, bytes string
}

// askedKey leads to what a request asks for, with the repository's name on the upstream.
type askedKey struct{}

// build makes the HTTP request. What it asks for travels in the context, to where the token and the connection for it
// are chosen.
func (q request) build(ctx context.Context, method string, base distspec.Base) (*http.Request, error) {
	asked := q.Request
	asked.Repository = base.Repository(q.Repository)
	ctx = context.WithValue(ctx, askedKey{}, asked)
	r, err := http.NewRequestWithContext(ctx, method, base.URL(q.Request, q.query).String(), nil)
	if err != nil {
		return nil, fmt.Errorf("asking %s for %s: %w", base.Host(), q.Kind, err)
	}
	r.Header.Set("User-Agent", userAgent)
	// A body that was transformed on its way would not have its digest.
	r.Header.Set("Accept-Encoding", "identity")
	if q.accept != "" {
		r.Header.Set("Accept", q.accept)
	}
	if q.bytes != "" {
		r.Header.Set("Range", q.bytes)
	}
	return r, nil
}

// askedOf is zero for a request that is none of the registry's, such as one to a token server.
func askedOf(ctx context.Context) distspec.Request {
	asked, _ := ctx.Value(askedKey{}).(distspec.Request)
	return asked
}

func repositoryOf(ctx context.Context) string { return askedOf(ctx).Repository }
