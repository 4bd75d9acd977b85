package pullthrough

import (
	"context"
	"time"

	"github.com/registryhub/registryhub/proxy/distspec"
	"github.com/registryhub/registryhub/proxy/metrics"
	"github.com/registryhub/registryhub/proxy/store"
	"github.com/registryhub/registryhub/proxy/upstream"
)

// staleAfter is how long a request waits for a revalidation before it gets the last known answer: with what comes
// around it, within 2 s.
const staleAfter = 1500 * time.Millisecond

// known is what the store knows of a tag. A tag whose manifest is gone is not known: it is never offered.
type known struct {
	entry    store.Tag
	manifest manifest
	ok       bool
}

// byTag answers from the store while the tag is believed, and otherwise after asking the upstream. All who ask
// meanwhile wait for the same revalidation, which goes on when they leave or are answered with what is known.
func (m *Mirror) byTag(ctx context.Context, q query) (manifest, error) {
	k := m.known(ctx, q)
	age := m.Now().Sub(k.entry.ValidatedAt)
	if k.ok && age < m.RevalidateAfter {
		return k.manifest, nil
	}
	refresh := m.manifests.join(m.work, q.key(), func(ctx context.Context) (manifest, error) { return m.refresh(ctx, q) })
	if !k.ok || age >= m.RevalidateAfter+m.StaleIfError {
		return refresh.wait(ctx, headersWithin)
	}
	if refresh.await(ctx, staleAfter) && !isTrouble(refresh.err) {
		return refresh.value, refresh.err
	}
	k.manifest.lookup = metrics.Stale
	return k.manifest, ctx.Err()
}

func (m *Mirror) known(ctx context.Context, q query) known {
	entry, err := m.Store.Tag(ctx, q.repository, q.Reference.Tag())
	if err != nil {
		_ = m.storeTrouble(err) // counted and told there; the upstream is asked
		return known{}
	}
	held, err := m.held(ctx, q.repository, entry.Digest)
	return known{entry: entry, manifest: held, ok: err == nil}
}

// refresh makes the tag what the upstream says now. It looks at the store again, because another refresh may have
// ended since the request looked.
func (m *Mirror) refresh(ctx context.Context, q query) (manifest, error) {
	k := m.known(ctx, q)
	if k.ok && m.Now().Sub(k.entry.ValidatedAt) < m.RevalidateAfter {
		return k.manifest, nil
	}
	one, err := m.revalidate(ctx, q, k)
	if upstream.IsNotFound(err) {
		_ = m.storeTrouble(m.Store.DeleteTag(ctx, q.repository, q.Reference.Tag())) // counted and told there
	}
	if err != nil {
		return manifest{}, asError(err, distspec.ManifestUnknown)
	}
	return one, nil
}

func (m *Mirror) revalidate(ctx context.Context, q query, k known) (manifest, error) {
	if k.entry.Effective == "" {
		return m.adopt(ctx, q)(m.find(ctx, q))
	}
	if !k.ok {
		return m.adopt(ctx, q)(m.findAgain(ctx, q, k.entry.Effective))
	}
	now, from, err := m.head(ctx, q, k.entry.Effective)
	switch {
	case err == nil && now.Digest == k.entry.Digest:
		k.manifest.upstream = from
		m.setTag(ctx, q, k.manifest)
		return k.manifest, nil
	case err == nil, upstream.IsNotFound(err) && k.entry.Effective != q.Repository:
		return m.adopt(ctx, q)(m.changed(ctx, q, k, err))
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

// adopt keeps a manifest, then its tag: a tag never names what is not there.
func (m *Mirror) adopt(ctx context.Context, q query) func(found, error) (manifest, error) {
	return func(f found, err error) (manifest, error) {
		if err != nil {
			return manifest{}, err
		}
		one, kept := m.keep(ctx, q.repository, f)
		if kept {
			m.setTag(ctx, q, one)
		}
		return one, nil
	}
}

func (m *Mirror) setTag(ctx context.Context, q query, one manifest) {
	_ = m.storeTrouble(m.Store.SetTag(ctx, q.repository, q.Reference.Tag(), store.Tag{ // counted and told there
		Digest:      one.Digest,
		MediaType:   one.MediaType,
		Effective:   one.Effective,
		Upstream:    one.upstream,
		ValidatedAt: m.Now(),
	}))
}
