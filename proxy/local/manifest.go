package local

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/opencontainers/go-digest"

	"github.com/registryhub/registryhub/proxy/answer"
	"github.com/registryhub/registryhub/proxy/distspec"
	"github.com/registryhub/registryhub/proxy/store"
)

// serveManifest serves a manifest as it was pushed.
func (c call) serveManifest() (err error) {
	link, err := c.manifest()
	if err != nil {
		return absent(err, distspec.ManifestUnknown)
	}
	object, err := c.Store.Open(c.r.Context(), link.Digest)
	if err != nil {
		return absent(err, distspec.ManifestUnknown)
	}
	defer func() { err = errors.Join(err, object.Close()) }()
	if err := c.renew(link.Digest); err != nil {
		return absent(err, distspec.ManifestUnknown)
	}
	c.w.Header().Set("Docker-Content-Digest", link.Digest.String())
	return answer.Object(c.w, c.r, link.MediaType, object)
}

// manifest finds the manifest that is asked for. store.ErrNotFound.
func (c call) manifest() (store.Link, error) {
	d := c.Reference.Digest()
	if !c.Reference.IsDigest() {
		tag, err := c.Store.Tag(c.r.Context(), c.repository, c.Reference.Tag())
		if err != nil {
			return store.Link{}, err
		}
		d = tag.Digest
	}
	link, err := c.Store.Linked(c.r.Context(), c.repository, d)
	if err == nil && !link.Manifest {
		err = store.ErrNotFound // a blob is no manifest, whatever its bytes
	}
	return link, err
}

// putManifest keeps a manifest byte for byte: itself, what lists it for its subject, its link, its tag.
func (c call) putManifest() error {
	if c.Full() {
		return full(nil)
	}
	body, err := c.manifestBody()
	if err != nil {
		return err
	}
	manifest, err := distspec.ParseManifest(c.r.Header.Get("Content-Type"), body)
	if err != nil {
		return err
	}
	tags, err := distspec.ParseTags(c.Reference, c.r.URL.Query())
	if err != nil {
		return err
	}
	want := c.Reference.Digest()
	if !c.Reference.IsDigest() {
		want = digest.FromBytes(body)
	}
	proof, err := store.Prove(want, body)
	if err != nil {
		return err
	}
	if err := c.take(manifest, proof, body, tags); err != nil {
		return err
	}
	if manifest.Subject != nil {
		c.w.Header().Set(distspec.HeaderSubject, manifest.Subject.Digest.String())
	}
	return c.created(distspec.KindManifest, c.Reference, want)
}

func (c call) take(manifest distspec.Manifest, proof store.Proof, body []byte, tags []string) error {
	if err := c.mayTag(tags, proof.Digest()); err != nil {
		return err
	}
	if err := c.claim(manifest); err != nil {
		return err
	}
	if err := c.keep(manifest, proof, body); err != nil {
		return err
	}
	return c.tag(tags, proof.Digest(), manifest.MediaType)
}

func (c call) keep(manifest distspec.Manifest, proof store.Proof, body []byte) error {
	ctx := c.r.Context()
	if err := c.Store.Put(ctx, proof, body); err != nil {
		return err
	}
	if err := c.refer(manifest, proof); err != nil {
		return err
	}
	link := store.Link{Digest: proof.Digest(), MediaType: manifest.MediaType, Size: proof.Size(), Manifest: true, Effective: c.repository.Name}
	if err := c.Store.Link(ctx, c.repository, link); err != nil {
		return err
	}
	// Whoever collects has seen the manifest from here on, or else sees that what it names was renewed since.
	err := c.writable.Keep(ctx, link.Digest)
	if err == nil {
		err = c.claim(manifest)
	}
	if errors.Is(err, store.ErrNotFound) {
		err = errors.Join(err, ignoreNotFound(c.writable.Unlink(ctx, c.repository, link.Digest)))
	}
	return err
}

// tag has tags name the manifest.
func (c call) tag(tags []string, d digest.Digest, mediaType string) error {
	for _, tag := range tags {
		entry := store.Tag{Digest: d, MediaType: mediaType, Effective: c.repository.Name, ValidatedAt: c.Now()}
		if err := c.setTag(tag, entry); err != nil {
			return err
		}
		if c.Reference.IsDigest() {
			c.w.Header().Add(distspec.HeaderTag, tag)
		}
	}
	return nil
}

// mayTag refuses early what could only be refused when all is kept.
func (c call) mayTag(tags []string, d digest.Digest) error {
	for _, tag := range tags {
		given, err := c.Store.Tag(c.r.Context(), c.repository, tag)
		if err == nil && given.Digest != d && c.Rules().immutable(c.Repository, tag) {
			return immutable(tag, given.Digest)
		}
	}
	return nil
}

func immutable(tag string, d digest.Digest) error {
	return distspec.NewError(http.StatusConflict, distspec.CodeDenied,
		"the tag "+tag+" is immutable here and names "+d.String()+": push under another, or delete it first")
}

// setTag moves a tag, or gives one that cannot be moved.
func (c call) setTag(tag string, entry store.Tag) error {
	ctx := c.r.Context()
	if !c.Rules().immutable(c.Repository, tag) {
		return c.Store.SetTag(ctx, c.repository, tag, entry)
	}
	err := c.writable.GiveTag(ctx, c.repository, tag, entry)
	if !errors.Is(err, store.ErrExists) {
		return err
	}
	given, err := c.Store.Tag(ctx, c.repository, tag)
	switch {
	case err != nil:
		return err
	case given.Digest == entry.Digest:
		return nil
	}
	return immutable(tag, given.Digest)
}

// manifestBody reads no more than a manifest may have.
func (c call) manifestBody() ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(c.body(), distspec.MaxManifestSize+1))
	if err == nil && len(body) > distspec.MaxManifestSize {
		err = distspec.NewError(http.StatusRequestEntityTooLarge, distspec.CodeSizeInvalid,
			fmt.Sprintf("a manifest has at most %d bytes", distspec.MaxManifestSize))
	}
	return body, err
}

// claim sees that the repository has what a manifest names, and keeps it from being collected before the manifest is there.
func (c call) claim(manifest distspec.Manifest) error {
	sparse := c.Rules().Sparse
	for _, one := range append(manifest.Blobs[:len(manifest.Blobs):len(manifest.Blobs)], manifest.Manifests...) {
		err := c.writable.Renew(c.r.Context(), c.repository, one.Digest)
		if errors.Is(err, store.ErrNotFound) && (len(one.URLs) > 0 || sparse) {
			continue // it is somewhere else, or nowhere
		}
		if errors.Is(err, store.ErrNotFound) {
			return &distspec.Error{
				Status: http.StatusNotFound, Code: distspec.CodeManifestBlobUnknown, Err: err,
				Message: fmt.Sprintf("the repository has not %s, which the manifest names: push it first", one.Digest),
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// deleteManifest deletes a tag, or a manifest and the tags that name it.
func (c call) deleteManifest() error {
	if !c.Reference.IsDigest() {
		return c.deleteTag()
	}
	ctx := c.r.Context()
	link, err := c.manifest()
	if err != nil {
		return absent(err, distspec.ManifestUnknown)
	}
	if err := c.writable.Unlink(ctx, c.repository, link.Digest); err != nil {
		return absent(err, distspec.ManifestUnknown)
	}
	if err := errors.Join(c.deleteTagsOf(link.Digest), c.unrefer(link.Digest)); err != nil {
		return err
	}
	return c.accepted()
}

func (c call) deleteTag() error {
	ctx := c.r.Context()
	if _, err := c.manifest(); err != nil {
		return absent(err, distspec.ManifestUnknown)
	}
	if err := c.Store.DeleteTag(ctx, c.repository, c.Reference.Tag()); err != nil {
		return err
	}
	return c.accepted()
}

// deleteTagsOf tidies: a tag whose manifest is gone is no tag already.
func (c call) deleteTagsOf(d digest.Digest) error {
	ctx := c.r.Context()
	names, err := c.writable.TagNames(ctx, c.repository)
	errs := []error{err}
	for _, name := range names {
		if tag, err := c.Store.Tag(ctx, c.repository, name); err == nil && tag.Digest == d {
			errs = append(errs, c.Store.DeleteTag(ctx, c.repository, name))
		}
	}
	return errors.Join(errs...)
}

// descriptorOf is how a manifest is listed among its subject's referrers.
func descriptorOf(manifest distspec.Manifest, proof store.Proof) (string, error) {
	text, err := json.Marshal(manifest.Descriptor(proof.Digest(), proof.Size()))
	return string(text), err
}
