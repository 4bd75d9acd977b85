package pullthrough

import (
	"context"
	"time"

	"github.com/registryhub/registryhub/proxy/distspec"
	"github.com/registryhub/registryhub/proxy/upstream"
)

// byTag is what the tag names now, as far as its policy has the upstream asked.
func (m *Mirror) byTag(ctx context.Context, q query) (manifest, error) {
	tag := q.Reference.Tag()
	belief := q.Tags.Belief(q.Repository, tag)
	return m.current(ctx, named{
		query: q, shelf: q.repository, name: tag, belief: belief, renew: m.revalidate,
		unknown: distspec.ManifestUnknown, absentFor: min(absentFor, time.Duration(belief)),
	})
}

func (m *Mirror) revalidate(ctx context.Context, n named, k known) (manifest, error) {
	if k.entry.Effective == "" {
		return m.adopt(ctx, n)(m.find(ctx, n.query))
	}
	if !k.ok {
		return m.adopt(ctx, n)(m.findAgain(ctx, n.query, k.entry.Effective))
	}
	now, from, err := m.head(ctx, n.query, k.entry.Effective)
	switch {
	case err == nil && now.Digest == k.entry.Digest:
		k.manifest.upstream = from
		m.name(ctx, n, k.manifest)
		return k.manifest, nil
	case err == nil, upstream.IsNotFound(err) && k.entry.Effective != n.Repository:
		return m.adopt(ctx, n)(m.changed(ctx, n.query, k, err))
	default:
		return manifest{}, err
	}
}

// changed fetches what a tag names now: under the name that it was found by, or, when it is gone from there, under the
// client's.
func (m *Mirror) changed(ctx context.Context, q query, k known, gone error) (found, error) {
	if gone != nil {
		return m.findAs(ctx, q, q.Repository)
	}
	return m.findAgain(ctx, q, k.entry.Effective)
}

// adopt keeps a manifest, then its tag.
func (m *Mirror) adopt(ctx context.Context, n named) func(found, error) (manifest, error) {
	return func(f found, err error) (manifest, error) {
		if err != nil {
			return manifest{}, err
		}
		one, kept := m.keep(ctx, n.repository, f)
		if kept {
			m.name(ctx, n, one)
		}
		return one, nil
	}
}
