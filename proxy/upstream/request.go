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

type repositoryKey struct{}

// build makes the HTTP request. The repository's name on the upstream travels in the context, to where the token for
// it is chosen.
func (q request) build(ctx context.Context, method string, base distspec.Base) (*http.Request, error) {
	ctx = context.WithValue(ctx, repositoryKey{}, base.Repository(q.Repository))
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

func repositoryOf(ctx context.Context) string {
	repository, _ := ctx.Value(repositoryKey{}).(string)
	return repository
}
