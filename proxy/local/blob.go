package local

import (
	"errors"
	"net/http"

	"github.com/opencontainers/go-digest"

	"github.com/registryhub/registryhub/proxy/answer"
	"github.com/registryhub/registryhub/proxy/distspec"
	"github.com/registryhub/registryhub/proxy/store"
)

// serveBlob serves what a repository has a link to.
func (c call) serveBlob() (err error) {
	d := c.Reference.Digest()
	object, err := c.open(d)
	if err != nil {
		return absent(err, distspec.BlobUnknown)
	}
	defer func() { err = errors.Join(err, object.Close()) }()
	if err := c.renew(d); err != nil {
		return absent(err, distspec.BlobUnknown)
	}
	p, err := answer.PieceOf(c.r, object.Size())
	if err != nil {
		return err
	}
	if c.redirect(d, object) {
		return nil
	}
	answer.BlobHeader(c.w, d, p)
	if c.r.Method == http.MethodHead || p.Length() == 0 {
		return nil
	}
	_, err = answer.Send(c.r.Context(), c.w, object, p.First, p.Length())
	return err
}

// redirect sends a client to where an object is, if it is to be sent there.
func (c call) redirect(d digest.Digest, object store.Object) bool {
	located, ok := object.(store.Located)
	if !ok || c.r.Method != http.MethodGet {
		return false
	}
	location, err := located.Location(c.r.Context())
	if err != nil || location == "" {
		return false // it is sent from here
	}
	c.w.Header().Set("Location", location)
	c.w.Header().Set("Docker-Content-Digest", d.String())
	c.w.Header().Set("Content-Length", "0")
	c.w.WriteHeader(http.StatusTemporaryRedirect)
	return true
}

// open opens an object that the repository has.
func (c call) open(d digest.Digest) (store.Object, error) {
	if _, err := c.Store.Linked(c.r.Context(), c.repository, d); err != nil {
		return nil, err
	}
	return c.Store.Open(c.r.Context(), d)
}

// renew keeps what is asked for by HEAD from being collected: who does is about to push what names it. store.ErrNotFound says that
// it is gone. What cannot be renewed for another reason is there all the same.
func (c call) renew(d digest.Digest) error {
	if c.r.Method != http.MethodHead || c.writable == nil {
		return nil
	}
	if err := c.writable.Renew(c.r.Context(), c.repository, d); errors.Is(err, store.ErrNotFound) {
		return err
	}
	return nil
}

// link gives a repository a blob that is in the store. What is known of it already stays. The object is kept after it is
// linked: whoever collects has seen the link, or sees that. store.ErrNotFound says that it was collected before.
func (c call) link(d digest.Digest, size int64) error {
	ctx := c.r.Context()
	_, err := c.Store.Linked(ctx, c.repository, d)
	if err == nil {
		err = c.writable.Renew(ctx, c.repository, d)
	}
	if errors.Is(err, store.ErrNotFound) {
		err = c.Store.Link(ctx, c.repository, store.Link{Digest: d, Size: size, Effective: c.repository.Name})
	}
	if err != nil {
		return err
	}
	return c.writable.Keep(ctx, d)
}

// deleteBlob takes a blob from a repository. Its bytes stay for as long as another has them.
func (c call) deleteBlob() error {
	if err := c.writable.Unlink(c.r.Context(), c.repository, c.Reference.Digest()); err != nil {
		return absent(err, distspec.BlobUnknown)
	}
	return c.accepted()
}

func (c call) accepted() error {
	c.w.Header().Set("Content-Length", "0")
	c.w.WriteHeader(http.StatusAccepted)
	return nil
}

// created answers 201 for what can be pulled from now on.
func (c call) created(kind distspec.Kind, reference distspec.Reference, d digest.Digest) error {
	h := c.w.Header()
	h.Set("Location", distspec.BuildPath(distspec.Request{Kind: kind, Repository: c.Repository, Reference: reference}))
	h.Set("Docker-Content-Digest", d.String())
	h.Set("Content-Length", "0")
	c.w.WriteHeader(http.StatusCreated)
	return nil
}

// absent says that something is not there, where that is what the store says.
func absent(err error, unknown func(error) *distspec.Error) error {
	if errors.Is(err, store.ErrNotFound) {
		return unknown(err)
	}
	return err
}
