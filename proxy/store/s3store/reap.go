package s3store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"

	"github.com/registryhub/registryhub/proxy/store"
)

// ReapUploads implements store.Uploads. An upload that is whole is made an object, since nobody knows who else does. What
// crashes left goes as well, and what there is is counted.
func (r *Registry) ReapUploads(ctx context.Context, unusedSince time.Time) (int, error) {
	reaped := 0
	err := r.eachDocument(ctx, r.keys.in(uploads), unusedSince, func(info minio.ObjectInfo, d document) error {
		if d.touched().After(unusedSince) {
			return nil
		}
		now := standingSession{id: strings.TrimPrefix(info.Key, r.keys.in(uploads)), document: d}
		if json.Unmarshal(d.content, &now.session) != nil {
			return nil //nolint:nilerr // it speaks for nothing
		}
		thrown, err := r.reap(ctx, now)
		if thrown {
			reaped++
		}
		return err
	})
	if err == nil {
		err = r.abortLeftovers(ctx, pieces, unusedSince)
	}
	if _, known := r.usage.get(); err == nil && (!known || r.Elected(ctx)) {
		err = r.countIn(ctx, entries, pieces)
	}
	if err != nil {
		return reaped, fmt.Errorf("throwing abandoned uploads away: %w", err)
	}
	return reaped, nil
}

// reap reports whether an upload was thrown away.
func (r *Registry) reap(ctx context.Context, now standingSession) (bool, error) {
	switch {
	case now.Over:
		return false, r.forget(ctx, now)
	case now.Finishing != "":
		return false, r.publish(ctx, now)
	}
	err := r.discard(ctx, now, now.session)
	if errors.Is(err, store.ErrConflict) {
		return false, nil // somebody goes on with it
	}
	return err == nil, err
}

// forget removes what an upload that is long over brought and no object has, and then its document.
func (r *Registry) forget(ctx context.Context, now standingSession) error {
	needed := map[string]bool{}
	if now.Finishing != "" {
		_, e, err := r.findEntry(ctx, now.Finishing)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		for _, p := range e.Pieces {
			needed[p.Name] = err == nil && e.Upload == now.id
		}
	}
	folder := r.keys.piecesOf(now.id)
	for info, err := range r.bucket.list(ctx, folder, false) {
		if err != nil {
			return err
		}
		if needed[strings.TrimPrefix(info.Key, folder)] {
			continue
		}
		if err := r.bucket.remove(ctx, info.Key); err != nil {
			return err
		}
		r.usage.grow(-info.Size)
	}
	return r.bucket.remove(ctx, r.keys.session(now.id))
}

// Undertake implements store.Undertaker.
func (r *Registry) Undertake(ctx context.Context, goneSince time.Time) error {
	for _, folder := range []string{entries, repositories} {
		for info, err := range r.bucket.list(ctx, r.keys.in(folder), false) {
			if err == nil && isGrave(info) && !info.LastModified.After(goneSince) {
				err = r.remove(ctx, info.Key, goneSince)
			}
			if err != nil {
				return fmt.Errorf("removing what was taken away: %w", err)
			}
		}
	}
	return nil
}

// Walk implements store.Lister.
func (r *Registry) Walk(ctx context.Context, yield func(store.Entry) error) error {
	if err := r.visitEntries(ctx, "", yield); err != nil {
		return err
	}
	return r.scratch.Walk(ctx, yield)
}

// Sample implements store.Lister.
func (r *Registry) Sample(ctx context.Context, atLeast int, yield func(store.Entry) error) error {
	return r.sample(ctx, entries, r.visitEntries, atLeast, yield)
}

func (r *Registry) visitEntries(ctx context.Context, part string, yield func(store.Entry) error) error {
	return r.eachDocument(ctx, r.keys.in(entries)+part, whenever, func(info minio.ObjectInfo, d document) error {
		named := digestAt(strings.TrimPrefix(info.Key, r.keys.in(entries)))
		e, err := entryIn(d.content, named)
		if err != nil || named.Validate() != nil {
			return nil //nolint:nilerr // it speaks for nothing
		}
		return yield(store.Entry{Digest: named, Size: billed(e.Size), LastAccess: d.touched()})
	})
}
