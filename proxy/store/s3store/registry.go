package s3store

import (
	"context"
	"errors"
	"fmt"

	"github.com/opencontainers/go-digest"

	"github.com/registryhub/registryhub/proxy/store"
)

// Registry is a store.Registry in a bucket. Below the prefix:
//
//	objects/<algorithm>/<2 hex>/<hex>            what an object is: the pieces that it is made of, or itself
//	pieces/<upload>/<chance>                     bytes that were pushed, which nobody writes over
//	uploads/<upload>                             how far an upload is, or that it ended
//	repositories/<host>/<name...>/_links/<algorithm>/<hex>
//	repositories/<host>/<name...>/_tags/<tag>
//	evictor, probes/<process>                    as in a Store
//
// All but the pieces are documents. Each piece is named by the document of its upload, or by that of the object that it
// belongs to, from before it is there to after it is gone, so that nothing need be searched for what a crash left. Nothing
// is copied when an upload ends.
//
// The server must keep to the conditions of writes.
type Registry struct {
	*Store

	conditions conditions
	spools     chan struct{} // taken by what is on scratch space on its way
}

var (
	_ store.Registry   = (*Registry)(nil)
	_ store.Evictable  = (*Registry)(nil)
	_ store.Shared     = (*Registry)(nil)
	_ store.Prober     = (*Registry)(nil)
	_ store.Chunked    = (*Registry)(nil)
	_ store.Undertaker = (*Registry)(nil)
)

// OpenRegistry is Open of a bucket that can be pushed to. A bucket and prefix that were a Store's, or are, do no harm and
// have nothing in common with it.
func OpenRegistry(ctx context.Context, options Options) (*Registry, error) {
	s, err := Open(ctx, options)
	if err != nil {
		return nil, err
	}
	return &Registry{Store: s, spools: make(chan struct{}, spoolsIn(options.MaxScratch))}, nil
}

// Probe implements store.Prober. It asks more of the server than a Store does.
func (r *Registry) Probe(ctx context.Context) error {
	if err := r.Store.Probe(ctx); err != nil {
		return err
	}
	return r.conditions.hold(ctx, r)
}

// Usage implements store.Measurer, by the last count and what came and went since. ReapUploads counts.
func (r *Registry) Usage(ctx context.Context) (store.Usage, error) {
	r.Elected(ctx)
	bytes, _ := r.usage.get()
	return store.Usage{Capacity: r.maxSize.Load(), Used: bytes}, nil
}

// Partial implements store.Content.
func (r *Registry) Partial(ctx context.Context, d digest.Digest, size int64) (store.Partial, error) {
	return r.fill(ctx, r, d, size)
}

func (r *Registry) has(ctx context.Context, d digest.Digest) error {
	_, err := r.find(ctx, r.keys.entry(d))
	return err
}

// keep pushes a fill to the registry.
func (r *Registry) keep(ctx context.Context, d digest.Digest, from source, size int64) error {
	upload, err := r.BeginUpload(ctx, store.Repository{})
	if err != nil {
		return err
	}
	reader, err := from.Reader(ctx)
	if err != nil {
		return err
	}
	defer reader.Close()
	section, err := reader.Section(ctx, 0, size)
	if err == nil {
		_, err = r.Finish(ctx, upload.ID, 0, section, d)
		err = errors.Join(err, section.Close())
	}
	if err != nil {
		return fmt.Errorf("pushing a fill: %w", err)
	}
	return nil
}
