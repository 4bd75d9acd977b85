package s3store

import (
	"context"
	"iter"
	"math/rand/v2"
	"strings"

	"github.com/minio/minio-go/v7"

	"github.com/registryhub/registryhub/proxy/store"
)

// visitor yields the objects in a part of the bucket, or all for "".
type visitor func(ctx context.Context, part string, yield func(store.Entry) error) error

// Walk implements store.Lister.
func (s *Store) Walk(ctx context.Context, yield func(store.Entry) error) error {
	if err := s.visit(ctx, "", yield); err != nil {
		return err
	}
	return s.scratch.Walk(ctx, yield)
}

// Sample implements store.Lister: a part is what begins with the same two digits.
func (s *Store) Sample(ctx context.Context, atLeast int, yield func(store.Entry) error) error {
	return s.sample(ctx, blobs, s.visit, atLeast, yield)
}

func (s *Store) sample(ctx context.Context, folder string, visit visitor, atLeast int, yield func(store.Entry) error) error {
	parts, err := s.parts(ctx, folder)
	if err != nil {
		return err
	}
	rand.Shuffle(len(parts), func(i, j int) { parts[i], parts[j] = parts[j], parts[i] }) //nolint:gosec // a sample is no secret
	yielded := 0
	for i := 0; i < len(parts) && yielded < atLeast; i++ {
		err := visit(ctx, parts[i], func(e store.Entry) error {
			yielded++
			return yield(e)
		})
		if err != nil {
			return err
		}
	}
	if yielded < atLeast {
		return s.scratch.Walk(ctx, yield)
	}
	return nil
}

// parts are the <algorithm>/<2 hex>/ that there are in a folder.
func (s *Store) parts(ctx context.Context, folder string) ([]string, error) {
	var parts []string
	for algorithm, err := range s.bucket.list(ctx, s.keys.in(folder), true) {
		if err != nil {
			return nil, err
		}
		for part, err := range s.bucket.list(ctx, algorithm.Key, true) {
			if err != nil {
				return nil, err
			}
			parts = append(parts, strings.TrimPrefix(part.Key, s.keys.in(folder)))
		}
	}
	return parts, nil
}

// visit yields the objects in a part, or all for "". Objects and marks come in the order of their keys, which is the same, so
// that neither need be held. What is not named by a digest is somebody else's.
func (s *Store) visit(ctx context.Context, part string, yield func(store.Entry) error) error {
	next, stop := iter.Pull2(s.bucket.list(ctx, s.keys.in(used)+part, false))
	defer stop()
	marks := follower{next: next, prefix: s.keys.in(used)}
	for info, err := range s.bucket.list(ctx, s.keys.in(blobs)+part, false) {
		if err != nil {
			return err
		}
		at := strings.TrimPrefix(info.Key, s.keys.in(blobs))
		mark, err := marks.at(at)
		if err != nil {
			return err
		}
		d := digestAt(at)
		if d.Validate() != nil {
			continue
		}
		if err := yield(store.Entry{Digest: d, Size: billed(info.Size), LastAccess: lastAccess(info, mark)}); err != nil {
			return err
		}
	}
	return nil
}

// follower goes along a sorted listing.
type follower struct {
	next   func() (minio.ObjectInfo, error, bool)
	prefix string
	now    minio.ObjectInfo
	ended  bool
}

// at returns what is at a place, or nothing. Places must come in order.
func (f *follower) at(place string) (minio.ObjectInfo, error) {
	for !f.ended && strings.TrimPrefix(f.now.Key, f.prefix) < place {
		info, err, more := f.next()
		if err != nil {
			return minio.ObjectInfo{}, err
		}
		f.now, f.ended = info, !more
	}
	if strings.TrimPrefix(f.now.Key, f.prefix) == place {
		return f.now, nil
	}
	return minio.ObjectInfo{}, nil
}

// billed is what an object counts for: an empty one has a key and metadata.
func billed(size int64) int64 { return max(1, size) }
