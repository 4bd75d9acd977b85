package pullthrough

import (
	"context"
	"net/http"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/registryhub/registryhub/proxy/distspec"
	"github.com/registryhub/registryhub/proxy/metrics"
	"github.com/registryhub/registryhub/proxy/rules"
	"github.com/registryhub/registryhub/proxy/store"
)

// list is what an upstream answered when it was asked for one.
type list struct {
	document []byte
	// mediaType that it is kept as.
	mediaType string
	// upstream and effective are who has it, and under which repository name.
	upstream, effective string
	// passing is one with nothing in it, of what the store knows nothing of: nothing of it is kept there, where anybody's
	// question would leave something for good.
	passing bool
}

// namedList is a list of the query's repository. The document is an object under its digest, and the list's name leads to it
// as a tag would, so that both are evicted and survive a restart like anything else.
func (m *Mirror) namedList(q query, name string, belief rules.Belief, fetch func(context.Context, query) (list, error)) named {
	return named{
		query: q, name: name, belief: belief, unknown: nameUnknown, absentFor: min(absentFor, time.Duration(belief)),
		shelf: q.repository.Lists(),
		renew: func(ctx context.Context, n named, k known) (manifest, error) {
			got, err := fetch(ctx, n.query)
			switch {
			case err != nil:
				return manifest{}, err
			case got.passing:
				return m.passList(ctx, n, k, got), nil
			default:
				return m.keepList(ctx, n, got), nil
			}
		},
	}
}

// passList remembers, for as long as that is believed, that there is nothing in a list, and forgets what there was.
func (m *Mirror) passList(ctx context.Context, n named, k known, l list) manifest {
	m.empty.add(n.key(), m.Now(), time.Duration(n.belief))
	if k.entry.Digest != "" {
		_ = m.storeTrouble(m.Store.DeleteTag(ctx, n.shelf, n.name)) // counted and told there
	}
	return l.manifest()
}

// keepList keeps a list: the links of the manifests that it names first, which a client asks for next, and its name
// last. The list can be served even when the store does not take it.
func (m *Mirror) keepList(ctx context.Context, n named, l list) manifest {
	one := l.manifest()
	proof, err := store.Prove(one.Digest, l.document)
	if err == nil {
		err = m.linkAll(ctx, n.repository, linksIn(l.document, l.effective))
	}
	if err == nil {
		err = m.Store.Put(ctx, proof, l.document)
	}
	if err == nil {
		err = m.Store.Link(ctx, n.shelf, one.Link)
	}
	if m.storeTrouble(err) == nil {
		m.name(ctx, n, one)
	}
	return one
}

func (l list) manifest() manifest {
	return manifest{
		Link:     store.Link{Digest: digest.FromBytes(l.document), MediaType: l.mediaType, Manifest: true, Effective: l.effective},
		size:     int64(len(l.document)),
		body:     l.document,
		upstream: l.upstream,
		lookup:   metrics.Miss,
	}
}

func nameUnknown(cause error) *distspec.Error {
	return &distspec.Error{Status: http.StatusNotFound, Code: distspec.CodeNameUnknown, Message: "the registry has no such repository", Err: cause}
}
