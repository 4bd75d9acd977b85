package pullthrough

import (
	"context"
	"errors"
	"net/http"
	"strconv"

	"github.com/opencontainers/go-digest"

	"github.com/registryhub/registryhub/proxy/answer"
	"github.com/registryhub/registryhub/proxy/distspec"
	"github.com/registryhub/registryhub/proxy/metrics"
	"github.com/registryhub/registryhub/proxy/store"
	"github.com/registryhub/registryhub/proxy/upstream"
)

// manifest is one that can be served.
type manifest struct {
	store.Link
	// body is nil when it is in the store and larger than what a request holds in memory.
	body []byte
	size int64
	// upstream is the name of the one that it was fetched from; empty for what was in the store.
	upstream string
	// lookup is how it was come by.
	lookup metrics.Lookup
}

func (m *Mirror) serveManifest(w http.ResponseWriter, r *http.Request, q query) error {
	get := m.byTag
	if q.Reference.IsDigest() {
		get = m.byDigest
	}
	one, err := get(r.Context(), q)
	if err != nil {
		return err
	}
	m.Metrics.Lookup("manifest", one.lookup)
	w.Header().Set("Docker-Content-Digest", one.Digest.String())
	setEffective(w.Header(), q.repository, one.Effective)
	warnIfStale(w.Header(), one.lookup)
	return m.sendWhole(w, r, one.MediaType, one)
}

// sendWhole answers with a document as it is.
func (m *Mirror) sendWhole(w http.ResponseWriter, r *http.Request, mediaType string, one manifest) (err error) {
	if one.body != nil {
		return answer.Body(w, r, mediaType, one.body)
	}
	object, err := m.Store.Open(r.Context(), one.Digest)
	if m.storeTrouble(err) != nil {
		return distspec.Unavailable(err) // gone again
	}
	defer func() { err = errors.Join(err, object.Close()) }()
	return answer.Object(w, r, mediaType, object)
}

// warnIfStale marks an answer that may be outdated (RFC 7234, section 5.5: 299 is for what has no code of its own).
func warnIfStale(h http.Header, lookup metrics.Lookup) {
	if lookup == metrics.Stale {
		h.Set("Warning", `299 - "the upstream registry cannot be asked now: this is what it said when it last could"`)
	}
}

// byDigest needs no upstream for what this repository has in the store.
func (m *Mirror) byDigest(ctx context.Context, q query) (manifest, error) {
	if held, err := m.held(ctx, q.repository, q.Reference.Digest()); err == nil {
		return held, nil
	}
	if m.absent.has(q.key(), m.Now()) {
		return manifest{}, m.saidAbsent(q.Kind, distspec.ManifestUnknown)
	}
	return m.manifests.join(m.work, q.key(), func(ctx context.Context) (manifest, error) {
		if held, err := m.held(ctx, q.repository, q.Reference.Digest()); err == nil {
			return held, nil // since the request looked
		}
		found, err := m.fetchDigest(ctx, q)
		if upstream.IsNotFound(err) {
			m.absent.add(q.key(), m.Now(), absentFor)
		}
		if err != nil {
			return manifest{}, asError(err, distspec.ManifestUnknown)
		}
		one, _ := m.keep(ctx, q.repository, found)
		return one, nil
	}).wait(ctx, headersWithin)
}

// fetchDigest asks under the name that the link remembers, where there is one. It asks even when the store has the
// bytes from another repository: that they may be served under this one is the upstream's to say.
func (m *Mirror) fetchDigest(ctx context.Context, q query) (found, error) {
	link, err := m.linked(ctx, q.repository, q.Reference.Digest())
	if err != nil && link.Effective == q.Repository {
		return m.find(ctx, q)
	}
	return m.findAgain(ctx, q, link.Effective)
}

// held returns a manifest that the repository has in the store.
func (m *Mirror) held(ctx context.Context, repository store.Repository, d digest.Digest) (manifest, error) {
	link, err := m.Store.Linked(ctx, repository, d)
	if err != nil {
		return manifest{}, m.storeTrouble(err)
	}
	if !link.Manifest {
		return manifest{}, store.ErrNotFound // a blob is no manifest, whatever its bytes
	}
	object, err := m.Store.Open(ctx, d)
	if err != nil {
		return manifest{}, m.storeTrouble(err)
	}
	size := object.Size()
	body, err := readSmall(ctx, object)
	return manifest{Link: link, body: body, size: size, lookup: metrics.Hit}, m.storeTrouble(err)
}

// readSmall leaves what is larger than a request holds in memory where it is, and closes the object.
func readSmall(ctx context.Context, object store.Object) ([]byte, error) {
	switch size := object.Size(); {
	case size > upstream.MaxManifestSize:
		return nil, errors.Join(store.ErrNotFound, object.Close())
	case size > answer.MaxHeld:
		return nil, object.Close()
	}
	return answer.ReadAll(ctx, object)
}

// storeTrouble counts and tells an error of the store other than that something is not there. The mirror then goes on
// without the store. That a store is full or fails is told by who looks after it, when that begins and ends, and not with
// each request.
func (m *Mirror) storeTrouble(err error) error {
	switch {
	case err == nil, errors.Is(err, context.Canceled):
		return err
	case errors.Is(err, store.ErrDamaged):
		m.Metrics.Damaged(metrics.Asked)
		m.Logger.Info("damaged object put aside", "hub", m.Hub, "cause", err.Error())
		return err
	case errors.Is(err, store.ErrNotFound):
		return err
	}
	m.Metrics.StoreError()
	switch {
	case errors.Is(err, store.ErrNoSpace):
		m.Full()
	case errors.Is(err, store.ErrFailing):
		m.Failed(err)
	default:
		m.Logger.Error(err, "store failed", "hub", m.Hub)
		return err
	}
	m.Logger.V(1).Info("store could not be used", "hub", m.Hub, "error", err.Error())
	return err
}

// key is one for each thing that can be asked for, of the upstreams that are asked for it.
func (q query) key() string {
	return strconv.Itoa(q.host.generation) + "\n" + q.repository.Host + "\n" + q.repository.Name + "\n" + q.Reference.String()
}
