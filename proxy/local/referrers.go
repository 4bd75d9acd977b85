package local

import (
	"cmp"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/registryhub/registryhub/proxy/answer"
	"github.com/registryhub/registryhub/proxy/distspec"
	"github.com/registryhub/registryhub/proxy/store"
)

// referrersBelow is put behind a repository's name to make the shelf of what refers to a manifest: no repository of a
// client's can have that name. There is a link for each, with its descriptor. One whose manifest is not in the repository
// does not count, so that what a crash leaves says nothing.
const referrersBelow = "/_referrers/"

func (c call) shelf(subject digest.Digest) store.Repository {
	return store.Repository{Host: c.repository.Host, Name: c.repository.Name + referrersBelow + subject.Algorithm().String() + "/" + subject.Encoded()}
}

// refer puts a manifest on the shelf of its subject, which need not be there.
func (c call) refer(manifest distspec.Manifest, proof store.Proof) error {
	if manifest.Subject == nil {
		return nil
	}
	descriptor, err := descriptorOf(manifest, proof)
	if err != nil {
		return err
	}
	return c.Store.Link(c.r.Context(), c.shelf(manifest.Subject.Digest), store.Link{
		Digest: proof.Digest(), MediaType: manifest.MediaType, Size: proof.Size(), Manifest: true, Effective: c.repository.Name, Descriptor: descriptor,
	})
}

// unrefer takes a manifest that is gone from the shelf of its subject.
func (c call) unrefer(d digest.Digest) error {
	ctx := c.r.Context()
	object, err := c.Store.Open(ctx, d)
	if err != nil {
		return ignoreNotFound(err)
	}
	body, err := answer.ReadAll(ctx, object)
	if err != nil {
		return err
	}
	manifest, err := distspec.ParseManifest("", body)
	if err != nil || manifest.Subject == nil {
		return nil //nolint:nilerr // what is no manifest refers to nothing
	}
	return ignoreNotFound(c.writable.Unlink(ctx, c.shelf(manifest.Subject.Digest), d))
}

func ignoreNotFound(err error) error {
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	return err
}

// serveReferrers lists what refers to a manifest. There is always a list, if only an empty one.
func (c call) serveReferrers() error {
	page, err := distspec.ParsePage(c.r.URL.Query())
	if err != nil {
		return err
	}
	descriptors, err := c.referrers()
	if err != nil {
		return err
	}
	artifactType := c.r.URL.Query().Get("artifactType")
	if artifactType != "" {
		c.w.Header().Set(distspec.HeaderFiltersApplied, "artifactType")
		descriptors = descriptors.OfType(artifactType)
	}
	list, next := page.OfReferrers(descriptors)
	if next != "" {
		c.w.Header().Set("Link", distspec.NextReferrersLink(c.Repository, c.Reference, next, artifactType))
	}
	body, err := list.Encode()
	if err != nil {
		return err
	}
	return answer.Body(c.w, c.r, distspec.MediaTypeIndex, body)
}

// referrers are sorted by digest, so that pages follow each other.
func (c call) referrers() (distspec.Referrers, error) {
	ctx := c.r.Context()
	if c.writable == nil {
		return nil, nil
	}
	var links []store.Link
	err := c.writable.WalkLinks(ctx, c.shelf(c.Reference.Digest()), func(link store.Link, _ time.Time) error {
		_, err := c.Store.Linked(ctx, c.repository, link.Digest)
		if err == nil {
			links = append(links, link)
		}
		return ignoreNotFound(err)
	})
	slices.SortFunc(links, func(a, b store.Link) int { return cmp.Compare(a.Digest, b.Digest) })
	descriptors := make(distspec.Referrers, 0, len(links))
	for _, link := range links {
		descriptors = append(descriptors, json.RawMessage(link.Descriptor))
	}
	return descriptors, err
}
