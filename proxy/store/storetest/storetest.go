// Package storetest is the suite that every store passes.
package storetest

import (
	"io"
	"maps"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"

	"github.com/registryhub/registryhub/proxy/store"
)

// Opener opens the store of one test. Called again it opens the same content, as a new process would, while the
// earlier one is still there.
type Opener func() store.Store

// Run runs the suite; newPlace returns an Opener for an empty place. A store that is Evictable, Forgetful, Scrubbable,
// Shared or a Registry runs those cases as well.
func Run(t *testing.T, newPlace func(t *testing.T) Opener) {
	cases := map[string]func(*testing.T, Opener){
		"an object that was put is read back in sections":   testPut,
		"a wrong or missing proof keeps nothing":            testProof,
		"what is not there is not found":                    testNotFound,
		"a committed fill is an object":                     testCommit,
		"readers of a fill outlive its end":                 testReaders,
		"a fill is exclusive":                               testExclusive,
		"a whole object is not filled again":                testExists,
		"a closed fill is taken up by the next process":     testResume,
		"bytes come in any order, from many at once":        testAnyOrder,
		"what is missing is known after a closed fill":      testGaps,
		"a discarded fill leaves nothing":                   testDiscard,
		"a fill longer than its object begins again":        testTooLong,
		"links are kept by repository":                      testLinks,
		"tags are kept by repository, replaced and deleted": testTags,
		"names cannot leave their repository":               testNames,
		"many may write one name at once":                   testConcurrent,
	}
	if _, ok := newPlace(t)().(store.Evictable); ok {
		maps.Copy(cases, evictable)
	}
	if _, ok := newPlace(t)().(store.Forgetful); ok {
		maps.Copy(cases, forgetful)
	}
	if _, ok := newPlace(t)().(store.Scrubbable); ok {
		maps.Copy(cases, scrubbable)
	}
	if _, ok := newPlace(t)().(store.Registry); ok {
		maps.Copy(cases, registry)
	}
	if _, ok := newPlace(t)().(store.Shared); ok {
		maps.Copy(cases, shared)
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) { test(t, newPlace(t)) })
	}
}

func prove(t *testing.T, data string) store.Proof {
	t.Helper()
	proof, err := store.Prove(digest.FromString(data), []byte(data))
	must(t, err)
	return proof
}

func put(t *testing.T, s store.Store, data string) digest.Digest {
	t.Helper()
	must(t, s.Put(t.Context(), prove(t, data), []byte(data)))
	return digest.FromString(data)
}

func fill(t *testing.T, s store.Store, data string) store.Partial {
	t.Helper()
	p, err := s.Partial(t.Context(), digest.FromString(data), int64(len(data)))
	must(t, err)
	return p
}

// write writes behind what was left, which is at the start.
func write(t *testing.T, p store.Partial, data string) {
	t.Helper()
	writeAt(t, p, p.Left().From(0), data)
}

func writeAt(t *testing.T, p store.Partial, offset int64, data string) {
	t.Helper()
	n, err := p.WriteAt([]byte(data), offset)
	must(t, err)
	equal(t, "bytes written", n, len(data))
}

func wantLeft(t *testing.T, p store.Partial, want ...store.Extent) {
	t.Helper()
	if diff := cmp.Diff(store.Extents(want), p.Left()); diff != "" {
		t.Errorf("left by an earlier fill (-want +got):\n%s", diff)
	}
}

func open(t *testing.T, s store.Store, d digest.Digest) store.Object {
	t.Helper()
	object, err := s.Open(t.Context(), d)
	must(t, err)
	t.Cleanup(func() { must(t, object.Close()) })
	return object
}

func read(t *testing.T, r store.Reader, offset, length int64) string {
	t.Helper()
	section, err := r.Section(t.Context(), offset, length)
	must(t, err)
	defer func() { must(t, section.Close()) }()
	data, err := io.ReadAll(section)
	must(t, err)
	return string(data)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func equal[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}
