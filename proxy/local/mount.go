package local

import (
	"errors"
	"net/http"

	"github.com/registryhub/registryhub/proxy/access"
	"github.com/registryhub/registryhub/proxy/distspec"
	"github.com/registryhub/registryhub/proxy/store"
)

// may reports whether the caller may do something elsewhere.
func (c call) may(action access.Action, repository string) bool {
	return c.Guard.Check(http.Header{}, c.r, repository, action) == nil
}

// mount gives a repository a blob that another has, from which the caller may pull. Without one that is named, only what the
// repository has itself is found: to look through all would tell of those that the caller may not see. False: the
// caller gets a place to push the blob to instead.
func (c call) mount(text, from string) (bool, error) {
	d, err := distspec.ParseDigest(text)
	if err != nil {
		return false, err
	}
	source := c
	if from != "" {
		if !distspec.ValidRepository(from) || !c.may(access.Pull, from) {
			return false, nil
		}
		source.repository = store.Repository{Host: storeHost, Name: from}
	}
	object, err := source.open(d)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
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
