package storetest

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"
	"golang.org/x/sync/errgroup"

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

func begin(t *testing.T, place Opener) store.Upload {
	t.Helper()
	upload, err := registryOf(t, place).BeginUpload(t.Context(), debian)
	must(t, err)
	return upload
}

func add(t *testing.T, place Opener, u store.Upload, data string) store.Upload {
	t.Helper()
	next, err := registryOf(t, place).Append(t.Context(), u.ID, u.Size, strings.NewReader(data))
	must(t, err)
	if want := (store.Upload{ID: u.ID, Repository: debian, Size: u.Size + int64(len(data))}); next != want {
		t.Errorf("after %d bytes more: got %+v, want %+v", len(data), next, want)
	}
	return next
}

func finish(t *testing.T, place Opener, u store.Upload, data, whole string) {
	t.Helper()
	size, err := registryOf(t, place).Finish(t.Context(), u.ID, u.Size, strings.NewReader(data), digest.FromString(whole))
	must(t, err)
	equal(t, "size", size, int64(len(whole)))
}

func wantObject(t *testing.T, place Opener, d digest.Digest, want string) {
	t.Helper()
	object := open(t, place(), d)
	equal(t, "size of the object", object.Size(), int64(len(want)))
	equal(t, "the object", read(t, object, 0, object.Size()), want)
}

func wantNoUpload(t *testing.T, place Opener, id store.UploadID) {
	t.Helper()
	if got, err := registryOf(t, place).Upload(t.Context(), id); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the upload: got %+v and error %v, want ErrNotFound", got, err)
	}
}

func testUpload(t *testing.T, place Opener) {
	tests := map[string]struct {
		chunks []string
		last   string
	}{
		"all in the end":                    {nil, "abcdef"},
		"all in one chunk":                  {[]string{"abcdef"}, ""},
		"in chunks":                         {[]string{"ab", "c", "def"}, ""},
		"in chunks, the last of them in it": {[]string{"ab", "cd"}, "ef"},
		"with a chunk of nothing":           {[]string{"", "abc", ""}, "def"},
		"one that is large":                 {[]string{strings.Repeat("0123456789", 1<<17), "x"}, strings.Repeat("y", 1<<16)},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			upload := begin(t, place)
			for _, chunk := range tc.chunks {
				upload = add(t, place, upload, chunk)
				got, err := registryOf(t, place).Upload(t.Context(), upload.ID)
				must(t, err)
				equal(t, "what is told of it", got, upload)
			}
			whole := strings.Join(tc.chunks, "") + tc.last
			finish(t, place, upload, tc.last, whole)
			wantObject(t, place, digest.FromString(whole), whole)
			wantNoUpload(t, place, upload.ID)
		})
	}
}

func testUploadAlgorithms(t *testing.T, place Opener) {
	for name, chunks := range map[string][]string{"in one": nil, "in chunks": {"ab", "cd"}} {
		t.Run(name, func(t *testing.T) {
			upload := begin(t, place)
			for _, chunk := range chunks {
				upload = add(t, place, upload, chunk)
			}
			whole := strings.Join(chunks, "") + "the end of " + name
			want := digest.SHA512.FromString(whole)
			_, err := registryOf(t, place).Finish(t.Context(), upload.ID, upload.Size, strings.NewReader("the end of "+name), want)
			must(t, err)
			wantObject(t, place, want, whole)
		})
	}
}

func testUploadConflict(t *testing.T, place Opener) {
	upload := add(t, place, begin(t, place), "begin,")
	const writers = "abcdefgh"
	var results [len(writers)]error
	var group errgroup.Group
	for i, letter := range writers {
		s := registryOf(t, place)
		group.Go(func() error {
			_, results[i] = s.Append(t.Context(), upload.ID, upload.Size, strings.NewReader(string(letter)))
			return nil
		})
	}
	must(t, group.Wait())
	winner := ""
	for i, err := range results {
		switch {
		case err == nil && winner == "":
			winner = writers[i : i+1]
		case err == nil:
			t.Errorf("writer %d has won as well", i)
		case !errors.Is(err, store.ErrConflict):
			t.Errorf("writer %d: got error %v, want ErrConflict", i, err)
		}
	}
	_, err := registryOf(t, place).Append(t.Context(), upload.ID, upload.Size, strings.NewReader("late"))
	if !errors.Is(err, store.ErrConflict) {
		t.Errorf("who comes late: got error %v, want ErrConflict", err)
	}
	upload.Size++
	finish(t, place, upload, ",end", "begin,"+winner+",end")
}

func testUploadBrokenBody(t *testing.T, place Opener) {
	upload := add(t, place, begin(t, place), "ab")
	broken := io.MultiReader(strings.NewReader("cdef"), iotest.ErrReader(errors.New("the client is gone")))
	if _, err := registryOf(t, place).Append(t.Context(), upload.ID, upload.Size, broken); err == nil || errors.Is(err, store.ErrConflict) {
		t.Errorf("got error %v, want that of the body", err)
	}
	got, err := registryOf(t, place).Upload(t.Context(), upload.ID)
	must(t, err)
	equal(t, "what is there of it", got, upload)
	finish(t, place, upload, "c", "abc")
}

func testUploadMismatch(t *testing.T, place Opener) {
	upload := add(t, place, begin(t, place), "ab")
	_, err := registryOf(t, place).Finish(t.Context(), upload.ID, upload.Size, strings.NewReader("X"), digest.FromString("abc"))
	if mismatch := (*store.MismatchError)(nil); !errors.As(err, &mismatch) {
		t.Fatalf("got error %v, want a *MismatchError", err)
	}
	if _, err := place().Open(t.Context(), digest.FromString("abX")); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("what nobody asked for: got error %v, want ErrNotFound", err)
	}
	finish(t, place, upload, "c", "abc")
}

func testUploadFinishedAgain(t *testing.T, place Opener) {
	upload := add(t, place, begin(t, place), "abc")
	var group errgroup.Group
	for range 4 {
		s := registryOf(t, place)
		group.Go(func() error {
			_, err := s.Finish(t.Context(), upload.ID, upload.Size, nil, digest.FromString("abc"))
			if errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrConflict) {
				err = nil // another has ended it
			}
			return err
		})
	}
	must(t, group.Wait())
	wantObject(t, place, digest.FromString("abc"), "abc")
	wantNoUpload(t, place, upload.ID)
}

func testUploadCancel(t *testing.T, place Opener) {
	upload := add(t, place, begin(t, place), "abc")
	must(t, registryOf(t, place).CancelUpload(t.Context(), upload.ID))
	wantNoUpload(t, place, upload.ID)
	r := registryOf(t, place)
	_, appendErr := r.Append(t.Context(), upload.ID, upload.Size, strings.NewReader("d"))
	_, finishErr := r.Finish(t.Context(), upload.ID, upload.Size, nil, digest.FromString("abc"))
	for what, err := range map[string]error{"adding": appendErr, "finishing": finishErr, "cancelling": r.CancelUpload(t.Context(), upload.ID)} {
		if !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%s what was thrown away: got error %v, want ErrNotFound", what, err)
		}
	}
}

func testUploadReap(t *testing.T, place Opener) {
	upload := add(t, place, begin(t, place), "abc")
	n, err := registryOf(t, place).ReapUploads(t.Context(), time.Now().Add(-time.Hour))
	must(t, err)
	equal(t, "uploads thrown away that are in use", n, 0)
	n, err = registryOf(t, place).ReapUploads(t.Context(), time.Now().Add(time.Hour))
	must(t, err)
	equal(t, "uploads thrown away", n, 1)
	wantNoUpload(t, place, upload.ID)
}

func testUploadMany(t *testing.T, place Opener) {
	var group errgroup.Group
	for i := range 16 {
		s := registryOf(t, place)
		group.Go(func() error {
			whole := strings.Repeat("abcd"[i%4:i%4+1], 1<<16)
			upload, err := s.BeginUpload(t.Context(), debian)
			if err == nil {
				upload, err = s.Append(t.Context(), upload.ID, 0, strings.NewReader(whole[:1<<15]))
			}
			if err == nil {
				_, err = s.Finish(t.Context(), upload.ID, upload.Size, strings.NewReader(whole[1<<15:]), digest.FromString(whole))
			}
			return err
		})
	}
	must(t, group.Wait())
	for i := range 4 {
		whole := strings.Repeat("abcd"[i:i+1], 1<<16)
		wantObject(t, place, digest.FromString(whole), whole)
	}
}

func testUploadEmpty(t *testing.T, place Opener) {
	finish(t, place, begin(t, place), "", "")
	wantObject(t, place, digest.FromString(""), "")
}

func testUploadTwice(t *testing.T, place Opener) {
	for range 2 {
		finish(t, place, add(t, place, begin(t, place), "ab"), "c", "abc")
		wantObject(t, place, digest.FromString("abc"), "abc")
	}
}

func testWalkLinks(t *testing.T, place Opener) {
	r := registryOf(t, place)
	known, err := r.Has(t.Context(), debian)
	must(t, err)
	equal(t, "known before anything is there", known, false)
	links := map[digest.Digest]store.Link{}
	for _, text := range []string{"a", "b", "c"} {
		link := store.Link{Digest: digest.FromString(text), Effective: debian.Name}
		links[link.Digest] = link
		must(t, r.Link(t.Context(), debian, link))
	}
	must(t, r.Link(t.Context(), store.Repository{Host: debian.Host, Name: debian.Name + "/below"}, store.Link{Digest: digest.FromString("x")}))
	must(t, r.Renew(t.Context(), debian, digest.FromString("b")))
	must(t, r.Unlink(t.Context(), debian, digest.FromString("b")))
	delete(links, digest.FromString("b"))
	if err := r.Unlink(t.Context(), debian, digest.FromString("b")); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("taking away what is not there: got error %v, want ErrNotFound", err)
	}
	if err := r.Renew(t.Context(), debian, digest.FromString("b")); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("renewing what is not there: got error %v, want ErrNotFound", err)
	}
	got := map[digest.Digest]store.Link{}
	must(t, registryOf(t, place).WalkLinks(t.Context(), debian, func(l store.Link, renewed time.Time) error {
		got[l.Digest] = l
		if age := time.Since(renewed); age < -time.Hour || age > time.Hour {
			t.Errorf("%s was renewed at %s", l.Digest, renewed)
		}
		return nil
	}))
	if diff := cmp.Diff(links, got); diff != "" {
		t.Errorf("links (-want +got):\n%s", diff)
	}
	enough := errors.New("enough")
	if err := r.WalkLinks(t.Context(), debian, func(store.Link, time.Time) error { return enough }); !errors.Is(err, enough) {
		t.Errorf("a walk that is ended: got error %v, want the one it was ended with", err)
	}
}

func testTagNames(t *testing.T, place Opener) {
	r := registryOf(t, place)
	want := map[string]bool{"v1.0.0": true, "_x": true, "Latest": true, strings.Repeat("a", 128): true, "a-b_c.d": true}
	for name := range want {
		must(t, r.SetTag(t.Context(), debian, name, store.Tag{Digest: digest.FromString(name)}))
	}
	must(t, r.SetTag(t.Context(), debian, "gone", store.Tag{Digest: digest.FromString("x")}))
	must(t, r.DeleteTag(t.Context(), debian, "gone"))
	names, err := registryOf(t, place).TagNames(t.Context(), debian)
	must(t, err)
	got := map[string]bool{}
	for _, name := range names {
		got[name] = true
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("tags (-want +got):\n%s", diff)
	}
	for repository, want := range map[store.Repository]bool{debian: true, {Host: debian.Host, Name: "library"}: false, {Host: "quay.io", Name: debian.Name}: false} {
		known, err := r.Has(t.Context(), repository)
		must(t, err)
		equal(t, "whether "+repository.Host+"/"+repository.Name+" is known", known, want)
	}
	none, err := r.TagNames(t.Context(), store.Repository{Host: debian.Host, Name: "none"})
	must(t, err)
	equal(t, "tags of what is not there", len(none), 0)
}

func testDescriptor(t *testing.T, place Opener) {
	want := store.Link{Digest: digest.FromString("signature"), Manifest: true, Descriptor: `{"annotations":{"a":"b"}}`}
	must(t, place().Link(t.Context(), debian, want))
	got, err := place().Linked(t.Context(), debian, want.Digest)
	must(t, err)
	equal(t, "link", got, want)
}

func testUnlinkUnused(t *testing.T, place Opener) {
	r := registryOf(t, place)
	link := store.Link{Digest: digest.FromString("a"), Effective: debian.Name}
	must(t, r.Link(t.Context(), debian, link))
	if err := r.UnlinkUnused(t.Context(), debian, link.Digest, time.Now().Add(-time.Hour)); !errors.Is(err, store.ErrInUse) {
		t.Errorf("of what is in use: got error %v, want ErrInUse", err)
	}
	got, err := r.Linked(t.Context(), debian, link.Digest)
	must(t, err)
	equal(t, "the link in use", got, link)
	must(t, r.UnlinkUnused(t.Context(), debian, link.Digest, time.Now().Add(time.Hour)))
	if err := r.UnlinkUnused(t.Context(), debian, link.Digest, time.Now().Add(time.Hour)); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("of what is gone: got error %v, want ErrNotFound", err)
	}
	if _, err := registryOf(t, place).Linked(t.Context(), debian, link.Digest); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the link that was not used: got error %v, want ErrNotFound", err)
	}
}

func testWalkRepositories(t *testing.T, place Opener) {
	want := map[store.Repository]bool{
		{Host: "local", Name: "a"}: true, {Host: "local", Name: "a/b"}: true, {Host: "[::1]:5000", Name: strings.Repeat("x", 255)}: true,
		{Host: "local", Name: "a/_referrers/sha256/00"}: true, {Host: "other", Name: "a.b_c/links"}: true,
	}
	tagged := store.Repository{Host: "local", Name: "tagged"}
	r := registryOf(t, place)
	for repository := range want {
		must(t, r.Link(t.Context(), repository, store.Link{Digest: digest.FromString("a")}))
		must(t, r.SetTag(t.Context(), repository, "v1", store.Tag{Digest: digest.FromString("a")}))
	}
	must(t, r.SetTag(t.Context(), tagged, "v1", store.Tag{Digest: digest.FromString("a")}))
	want[tagged] = true
	got := map[store.Repository]bool{}
	must(t, registryOf(t, place).WalkRepositories(t.Context(), func(repository store.Repository) error {
		if got[repository] {
			t.Errorf("%v comes twice", repository)
		}
		got[repository] = true
		return nil
	}))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("repositories (-want +got):\n%s", diff)
	}
}

func testKeep(t *testing.T, place Opener) {
	r := registryOf(t, place)
	d := put(t, r, "abc")
	began := time.Now()
	must(t, r.Keep(t.Context(), d))
	remover, ok := r.(store.Remover)
	if !ok {
		t.Fatal("objects cannot be removed from it")
	}
	if err := remover.Remove(t.Context(), d, began.Add(-time.Second)); !errors.Is(err, store.ErrInUse) {
		t.Errorf("removing what is kept: got error %v, want ErrInUse", err)
	}
	object, err := r.Open(t.Context(), d)
	must(t, err)
	must(t, object.Close())
	must(t, remover.Remove(t.Context(), d, time.Now().Add(time.Hour)))
	if err := r.Keep(t.Context(), d); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("keeping what is gone: got error %v, want ErrNotFound", err)
	}
}

func testGiveTag(t *testing.T, place Opener) {
	const givers = "abcdefgh"
	var given [len(givers)]error
	var group errgroup.Group
	for i := range givers {
		s := registryOf(t, place)
		group.Go(func() error {
			given[i] = s.GiveTag(t.Context(), debian, "v1", store.Tag{Digest: digest.FromString(givers[i : i+1])})
			return nil
		})
	}
	must(t, group.Wait())
	var winner digest.Digest
	for i, err := range given {
		switch {
		case err == nil && winner == "":
			winner = digest.FromString(givers[i : i+1])
		case !errors.Is(err, store.ErrExists):
			t.Errorf("giver %d: got error %v, want ErrExists for all but one", i, err)
		}
	}
	tag, err := registryOf(t, place).Tag(t.Context(), debian, "v1")
	must(t, err)
	equal(t, "the tag", tag.Digest, winner)
	must(t, registryOf(t, place).DeleteTag(t.Context(), debian, "v1"))
	must(t, registryOf(t, place).GiveTag(t.Context(), debian, "v1", store.Tag{Digest: digest.FromString("x")}))
}
