package s3store

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/registryhub/registryhub/proxy/store"
)

// locationTerm is how long a client can begin to fetch from a location.
const locationTerm = 10 * time.Minute

var _ store.Located = (*object)(nil)

// SetRedirects says whether clients are sent to the bucket for large objects.
func (s *Store) SetRedirects(to bool) { s.redirects.Store(to) }

// Location implements store.Located. What is in memory is sent from there.
func (o *object) Location(ctx context.Context) (string, error) {
	if !o.store.redirects.Load() || o.size <= headSize {
		return "", nil
	}
	b := &o.store.bucket
	location, err := b.core.Presign(ctx, http.MethodGet, b.name, o.store.keys.blob(o.digest), locationTerm, nil)
	if err != nil {
		return "", fmt.Errorf("signing where %s is: %w", o.digest, typed(err))
	}
	return location.String(), nil
}
