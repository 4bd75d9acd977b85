package s3store

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"

	"github.com/registryhub/registryhub/proxy/store"
)

// noETag is that of nothing that is in the bucket.
const noETag = "00000000000000000000000000000000"

// conditions is whether the server keeps to the conditions of writes. It is tried once, before the first of them.
type conditions struct {
	mu   sync.Mutex
	kept bool
}

// hold is nil for a server that keeps to them.
func (c *conditions) hold(ctx context.Context, r *Registry) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.kept {
		return nil
	}
	err := r.tryConditions(ctx)
	c.kept = err == nil
	return err
}

// tryConditions makes writes that must be refused, and one that must not.
func (r *Registry) tryConditions(ctx context.Context) error {
	key := r.keys.probe(r.process + "-conditions")
	err := r.bucket.write(ctx, key, []byte(rand.Text()), jsonDocument)
	if err != nil {
		return err
	}
	there, err := r.bucket.read(ctx, key)
	if err != nil {
		return err
	}
	for header, wrong := range map[string]document{"If-None-Match: *": {}, "If-Match": {etag: noETag}} {
		if err := r.bucket.write(ctx, key, []byte(rand.Text()), standing(wrong)); !errors.Is(err, errChanged) {
			return r.unconditional(header, err)
		}
	}
	if err := r.bucket.write(ctx, key, []byte(rand.Text()), standing(there)); err != nil {
		return r.unconditional("If-Match", err)
	}
	return r.bucket.remove(ctx, key)
}

// unconditional is the error of a server that answered a write so, nil if it took one that it must not take.
func (r *Registry) unconditional(header string, answer error) error {
	if answer != nil && !errors.Is(answer, errUnconditional) && !errors.Is(answer, errChanged) {
		return answer
	}
	return fmt.Errorf("%w: %w: it does not keep to %s, so that what is pushed to the bucket %s could be lost, and nothing is taken: "+
		"keep the registry on a server that does (answer: %v)", store.ErrFailing, errUnconditional, header, r.bucket.name, answer)
}
