package storetest

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sync/errgroup"

	"github.com/registryhub/registryhub/proxy/store"
)

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
