package storetest

import (
	"testing"

	"github.com/registryhub/registryhub/proxy/store"
)

// registry are the cases of a store that can be pushed to.
var registry = map[string]func(*testing.T, Opener){
	"an upload is whole whoever brings its parts":       testUpload,
	"an upload has the digest of any algorithm":         testUploadAlgorithms,
	"of many who add to an upload one wins":             testUploadConflict,
	"a body that breaks adds nothing":                   testUploadBrokenBody,
	"an upload with another digest goes on":             testUploadMismatch,
	"an upload can be finished again":                   testUploadFinishedAgain,
	"an upload is thrown away":                          testUploadCancel,
	"uploads that nobody goes on with are thrown away":  testUploadReap,
	"uploads are pushed by many at once":                testUploadMany,
	"links are listed, renewed and taken away":          testWalkLinks,
	"tags are listed, and repositories known":           testTagNames,
	"a tag is given once":                               testGiveTag,
	"a link that is not used is taken away":             testUnlinkUnused,
	"an object that is kept is not removed":             testKeep,
	"repositories are listed":                           testWalkRepositories,
	"what a manifest that refers is listed as is kept":  testDescriptor,
	"an upload of nothing is an object":                 testUploadEmpty,
	"an object that is there can be uploaded once more": testUploadTwice,
}

func registryOf(t *testing.T, place Opener) store.Registry {
	t.Helper()
	r, ok := place().(store.Registry)
	if !ok {
		t.Fatal("it cannot be pushed to")
	}
	return r
}
