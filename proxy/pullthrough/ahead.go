package pullthrough

import (
	"context"
	"errors"
	"strings"

	"github.com/opencontainers/go-digest"

	"github.com/registryhub/registryhub/proxy/distspec"
	"github.com/registryhub/registryhub/proxy/store"
)

// ErrNotKept says that the store could not take what was pulled ahead.
var ErrNotKept = errors.New("the cache cannot take it: it is full, too small for it, cannot be written, or takes it for another host now")

// Ahead is a manifest that was pulled before anybody asked for it.
type Ahead struct {
	Digest    digest.Digest
	MediaType string
	Content   []byte
}

// ManifestAhead gives a manifest as a client would get it, and so has it in the store: a tag is asked about as its policy
// says. The host is one that the mirror stands for. Errors are a *distspec.Error or the context's.
func (m *Mirror) ManifestAhead(ctx context.Context, host, repository string, reference distspec.Reference) (Ahead, error) {
	q, err := m.queryAhead(host, distspec.Request{Kind: distspec.KindManifest, Repository: repository, Reference: reference})
	if err != nil {
		return Ahead{}, err
	}
	get := m.byTag
	if reference.IsDigest() {
		get = m.byDigest
	}
	one, err := get(ctx, q)
	if err != nil {
		return Ahead{}, err
	}
	content, err := m.read(ctx, one)
	return Ahead{Digest: one.Digest, MediaType: one.MediaType, Content: content}, err
}

// BlobAhead has a blob in the store that a manifest names which ManifestAhead gave: it returns when it is there, or can
// not be. ErrNotKept: the store does not take it.
func (m *Mirror) BlobAhead(ctx context.Context, host, repository string, d digest.Digest) error {
	q, err := m.queryAhead(host, distspec.Request{Kind: distspec.KindBlob, Repository: repository, Reference: distspec.DigestReference(d)})
	if err != nil {
		return err
	}
	object, err := m.Store.Open(ctx, d)
	if m.storeTrouble(err) == nil {
		return object.Close()
	}
	link, err := m.linked(ctx, q.repository, d)
	_ = m.storeTrouble(err) // counted and told there
	f, _ := m.fills.join(m, source{host: q.host, repository: q.repository, effective: link.Effective, digest: d}, link.Size)
	now, err := f.until(ctx, func() bool { return false })
	switch {
	case err != nil:
		return err
	case now.err == nil, errors.Is(now.err, errWhole):
		return nil
	case errors.Is(now.err, errNotKept):
		return ErrNotKept
	}
	return asError(now.err, distspec.BlobUnknown)
}

// queryAhead is the query of a client who would ask for it.
func (m *Mirror) queryAhead(host string, request distspec.Request) (query, error) {
	now := m.settings.Load()
	namespace := strings.ToLower(host)
	one, err := now.hostOf(namespace)
	if err != nil {
		return query{}, err
	}
	if !now.Repositories.Allows(request.Repository) {
		return query{}, notServed()
	}
	repository := store.Repository{Host: strings.ToLower(one.Name), Name: request.Repository}
	return query{Request: request, settings: now, host: one, repository: repository, namespace: namespace}, nil
}
