package pullthrough

import (
	"context"
	"strconv"
	"time"

	"github.com/registryhub/registryhub/proxy/distspec"
	"github.com/registryhub/registryhub/proxy/metrics"
	"github.com/registryhub/registryhub/proxy/rules"
	"github.com/registryhub/registryhub/proxy/store"
	"github.com/registryhub/registryhub/proxy/upstream"
)

// staleAfter is how long a request waits for a revalidation before it gets the last known answer: with what comes
// around it, within 2 s.
const staleAfter = 1500 * time.Millisecond

// named is what an upstream can change at any time, and the store keeps under a name: a tag, or a list.
type named struct {
	query
	// shelf and name are where the store has it. A list's shelf has a name that no client's repository can have.
	shelf store.Repository
	name  string
	// belief is how long the upstream is not asked again.
	belief rules.Belief
	// renew asks the upstream, and keeps what it says.
	renew func(context.Context, named, known) (manifest, error)
	// unknown is the answer when the upstream has no such thing, which is believed for absentFor; 0 is not at all.
	unknown   func(error) *distspec.Error
	absentFor time.Duration
	// none is the answer while it is remembered that there is nothing in it; nil where the store has that too.
	none *manifest
}

// key is one for each thing that has a name, of the upstreams that are asked for it.
func (n named) key() string {
	return strconv.Itoa(n.host.generation) + "\n" + n.shelf.Host + "\n" + n.shelf.Name + "\n" + n.name
}

// known is what the store knows of it, or is remembered in its place. A name whose content is gone is not known: it is
// never offered.
type known struct {
	entry    store.Tag
	manifest manifest
	ok       bool
}

func (m *Mirror) known(ctx context.Context, n named) known {
	if n.none != nil && m.empty.has(n.key(), m.Now()) {
		return known{entry: store.Tag{ValidatedAt: m.Now()}, manifest: *n.none, ok: true}
	}
	entry, err := m.Store.Tag(ctx, n.shelf, n.name)
	if err != nil {
		_ = m.storeTrouble(err) // counted and told there; the upstream is asked
		return known{}
	}
	held, err := m.held(ctx, n.shelf, entry.Digest)
	return known{entry: entry, manifest: held, ok: err == nil}
}

// current answers from the store while that is believed, and otherwise after asking the upstream. All who ask
// meanwhile wait for the same question, which goes on when they leave or are answered with what is known. What the
// upstream has refused since is not known to anybody, whatever else it says, until it gives it again.
func (m *Mirror) current(ctx context.Context, n named) (manifest, error) {
	k := m.known(ctx, n)
	age := m.Now().Sub(k.entry.ValidatedAt)
	if k.ok && n.belief.Holds(age) {
		return k.manifest, nil
	}
	if m.absent.has(n.key(), m.Now()) {
		return manifest{}, m.saidAbsent(n.Kind, n.unknown)
	}
	refresh := m.manifests.join(m.work, n.key(), func(ctx context.Context) (manifest, error) { return m.refresh(ctx, n) })
	if !k.ok || !n.belief.HoldsInTrouble(age, n.StaleIfError) || m.refused.has(n.key(), m.Now()) {
		return refresh.wait(ctx, headersWithin)
	}
	if refresh.await(ctx, staleAfter) && !isTrouble(refresh.err) {
		return refresh.value, refresh.err
	}
	k.manifest.lookup = metrics.Stale
	return k.manifest, ctx.Err()
}

// refresh makes it what the upstream says now. It looks at the store again, because another refresh may have ended
// since the request looked.
func (m *Mirror) refresh(ctx context.Context, n named) (manifest, error) {
	k := m.known(ctx, n)
	if k.ok && n.belief.Holds(m.Now().Sub(k.entry.ValidatedAt)) {
		return k.manifest, nil
	}
	one, err := n.renew(ctx, n, k)
	if upstream.IsNotFound(err) {
		_ = m.storeTrouble(m.Store.DeleteTag(ctx, n.shelf, n.name)) // counted and told there
		m.absent.add(n.key(), m.Now(), n.absentFor)
	}
	if upstream.IsUnauthorized(err) && k.entry.Digest != "" {
		m.refused.add(n.key(), m.Now(), n.StaleIfError) // after that nothing is stale any more
	}
	if err != nil {
		return manifest{}, asError(err, n.unknown)
	}
	m.refused.forget(n.key())
	return one, nil
}

// name makes a manifest what the name stands for. It comes after the manifest: a name never stands for what is not
// there.
func (m *Mirror) name(ctx context.Context, n named, one manifest) {
	_ = m.storeTrouble(m.Store.SetTag(ctx, n.shelf, n.name, store.Tag{ // counted and told there
		Digest:      one.Digest,
		MediaType:   one.MediaType,
		Effective:   one.Effective,
		Upstream:    one.upstream,
		ValidatedAt: m.Now(),
	}))
}
