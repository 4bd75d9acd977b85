package local

import (
	"errors"

	"github.com/opencontainers/go-digest"

	"github.com/registryhub/registryhub/proxy/distspec"
	"github.com/registryhub/registryhub/proxy/store"
)

// mount gives a repository a blob that another has, from which the caller may pull: the one that is named, or any. False: the
// caller gets a place to push the blob to instead.
func (c call) mount(text, from string) (bool, error) {
	d, err := distspec.ParseDigest(text)
	if err != nil {
		return false, err
	}
	if from == "" {
		from, err = c.whoHas(d)
	}
	if err != nil || !distspec.ValidRepository(from) || !c.Guard.MayMount(c.r, from) {
		return false, err
	}
	if err := c.writable.Renew(c.r.Context(), store.Repository{Host: storeHost, Name: from}, d); err != nil {
		return false, ignoreNotFound(err)
	}
	object, err := c.Store.Open(c.r.Context(), d)
	if err != nil {
		return false, ignoreNotFound(err)
	}
	size := object.Size()
	if err := object.Close(); err != nil {
		return false, err
	}
	if err := c.link(d, size); err != nil {
		return false, ignoreNotFound(err)
	}
	return true, c.created(distspec.KindBlob, distspec.DigestReference(d), d)
}

// errFound ends a walk: enough was found.
var errFound = errors.New("found")

// maxOffered is of how many repositories that have a blob it is asked whether the caller may pull from them: somebody else
// may have to be asked.
const maxOffered = 8

// whoHas finds a repository that has a blob and from which the caller may pull; "" for none. It looks through all of them, but
// only for what is in the store, and gives up after some that the caller may not pull from.
func (c call) whoHas(d digest.Digest) (found string, err error) {
	ctx := c.r.Context()
	object, err := c.Store.Open(ctx, d)
	if err != nil {
		return "", ignoreNotFound(err)
	}
	if err := object.Close(); err != nil {
		return "", err
	}
	offered := 0
	err = c.writable.WalkRepositories(ctx, func(r store.Repository) error {
		if !distspec.ValidRepository(r.Name) {
			return nil // a shelf
		}
		if _, err := c.Store.Linked(ctx, r, d); err != nil {
			return ignoreNotFound(err)
		}
		offered++
		switch {
		case c.Guard.MayMount(c.r, r.Name):
			found = r.Name
			return errFound
		case offered == maxOffered:
			return errFound
		}
		return nil
	})
	if errors.Is(err, errFound) {
		err = nil
	}
	return found, err
}
