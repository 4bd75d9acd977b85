package pullthrough

import (
	"context"
	"errors"
	"net/http"

	"github.com/registryhub/registryhub/proxy/distspec"
	"github.com/registryhub/registryhub/proxy/metrics"
	"github.com/registryhub/registryhub/proxy/store"
	"github.com/registryhub/registryhub/proxy/upstream"
)

// errNoReferrers is the final answer, by a 404, of an upstream that keeps none of a manifest.
var errNoReferrers = errors.New("the upstream has no referrers")

// serveReferrers answers what refers to a manifest: what the upstream said lately, or says now. The answer is always
// the whole list, filtered here, since what an upstream filters by cannot be known of a list that is kept.
func (m *Mirror) serveReferrers(w http.ResponseWriter, r *http.Request, q query) error {
	one, err := m.referrers(r.Context(), q)
	if err != nil {
		return err
	}
	m.Metrics.Lookup("referrers", one.lookup)
	setEffective(w.Header(), q.repository, one.Effective)
	warnIfStale(w.Header(), one.lookup)
	artifactType := r.URL.Query().Get("artifactType")
	if artifactType == "" {
		return m.sendWhole(w, r, distspec.MediaTypeIndex, one)
	}
	return m.sendDerived(w, r, distspec.MediaTypeIndex, one, func(document []byte) ([]byte, error) {
		return filtered(w.Header(), document, artifactType)
	})
}

func (m *Mirror) referrers(ctx context.Context, q query) (manifest, error) {
	none, err := distspec.Referrers(nil).Encode()
	if err != nil {
		return manifest{}, err
	}
	n := m.namedList(q, "referrers:"+q.Reference.String(), q.Tags.Otherwise(), m.fetchReferrers)
	n.none = &manifest{Link: store.Link{Effective: m.unwritten.name(q.repository, q.Reference.Digest())}, body: none, lookup: metrics.Absent}
	return m.current(ctx, n)
}

// filtered tells the client when something was left out.
func filtered(h http.Header, body []byte, artifactType string) ([]byte, error) {
	list, err := distspec.ParseReferrers(body)
	if err != nil {
		return nil, err
	}
	h.Set(distspec.HeaderFiltersApplied, "artifactType")
	return list.OfType(artifactType).Encode()
}

// fetchReferrers asks under the name that the upstream has the subject by. No name is derived for it.
func (m *Mirror) fetchReferrers(ctx context.Context, q query) (list, error) {
	link, unlinked := m.linked(ctx, q.repository, q.Reference.Digest())
	var from string
	referrers, err := ask(ctx, q.host.Upstreams, func(u *upstream.Client) (distspec.Referrers, error) {
		from = u.Name()
		return m.referrersFrom(ctx, q, u, link.Effective)
	})
	if err != nil && !errors.Is(err, errNoReferrers) {
		return list{}, err
	}
	document, err := referrers.Encode()
	m.Metrics.Received(from, int64(len(document)))
	return list{
		document: document, mediaType: distspec.MediaTypeIndex, upstream: from, effective: link.Effective,
		passing: len(referrers) == 0 && errors.Is(unlinked, store.ErrNotFound),
	}, err
}

func (m *Mirror) referrersFrom(ctx context.Context, q query, u *upstream.Client, name string) (distspec.Referrers, error) {
	referrers, err := u.Referrers(ctx, name, q.Reference.Digest())
	_ = m.counted(u, "referrers", err)
	if none, ok := errors.AsType[*upstream.NoReferrersError](err); ok {
		m.Logger.V(1).Info("upstream has no referrers", "hub", m.Hub, "host", q.host.Name, "upstream", u.Name(), "cause", none.Error())
		return m.referrersByTag(ctx, u, name, q.Reference)
	}
	return referrers, err
}

// referrersByTag are the referrers where clients keep them on a registry that has no API for them. Without the tag
// (errNoReferrers), or when it names something else, there are none.
func (m *Mirror) referrersByTag(ctx context.Context, u *upstream.Client, name string, subject distspec.Reference) (distspec.Referrers, error) {
	one, err := m.getManifest(ctx, u, name, distspec.ReferrersTag(subject))
	if upstream.IsNotFound(err) {
		return nil, errors.Join(errNoReferrers, err)
	}
	if err != nil {
		return nil, err
	}
	referrers, err := distspec.ParseReferrers(one.Content)
	if err != nil {
		return nil, nil //nolint:nilerr // Something else has the tag's name: it says nothing of referrers.
	}
	return referrers, nil
}
