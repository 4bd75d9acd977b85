package collect

import (
	"context"
	"errors"

	"github.com/opencontainers/go-digest"

	"github.com/registryhub/registryhub/proxy/answer"
	"github.com/registryhub/registryhub/proxy/distspec"
	"github.com/registryhub/registryhub/proxy/store"
)

// set are digests, of which it keeps so much that there are no two alike.
type set map[[16]byte]struct{}

func (s set) add(d digest.Digest)      { s[short(d)] = struct{}{} }
func (s set) has(d digest.Digest) bool { _, found := s[short(d)]; return found }

// short tells digests of two algorithms apart as it does any two. Of two that it did not, one would stay.
func short(d digest.Digest) (key [16]byte) {
	copy(key[:], d.Encoded())
	return key
}

// namedBy is what manifests name: nil, and no error, when one of them cannot be read, so that nobody knows.
func (c *Collector) namedBy(ctx context.Context, manifests []digest.Digest) (set, error) {
	named := set{}
	for _, d := range manifests {
		object, err := c.Store.Open(ctx, d)
		if errors.Is(err, store.ErrNotFound) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		body, err := answer.ReadAll(ctx, object)
		if err != nil {
			return nil, err
		}
		manifest, err := distspec.ParseManifest("", body)
		if err != nil {
			return nil, nil //nolint:nilerr // what nobody can read may name anything
		}
		for _, one := range manifest.Blobs {
			named.add(one.Digest)
		}
		for _, one := range manifest.Manifests {
			named.add(one.Digest)
		}
	}
	return named, nil
}
