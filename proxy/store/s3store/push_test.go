package s3store_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"time"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sync/errgroup"

	"github.com/registryhub/registryhub/proxy/store"
	"github.com/registryhub/registryhub/proxy/store/s3store"
)

func begin(t *testing.T, r *s3store.Registry) store.Upload {
	t.Helper()
	upload, err := r.BeginUpload(t.Context(), debian)
	must(t, err)
	return upload
}

func add(t *testing.T, r *s3store.Registry, u store.Upload, data []byte) store.Upload {
	t.Helper()
	next, err := r.Append(t.Context(), u.ID, u.Size, bytes.NewReader(data))
	must(t, err)
	return next
}

func finish(t *testing.T, r *s3store.Registry, u store.Upload, last, whole []byte) {
	t.Helper()
	size, err := r.Finish(t.Context(), u.ID, u.Size, bytes.NewReader(last), digest.FromBytes(whole))
	must(t, err)
	if size != int64(len(whole)) {
		t.Errorf("size is %d, want %d", size, len(whole))
	}
}

// keysIn are those of a folder of the registry, graves and all.
func (p place) keysIn(t *testing.T, folder string) (keys []string) {
	t.Helper()
	root := server.File(p.bucket, filepath.Join("hubs/docker-io", folder))
	err := filepath.WalkDir(root, func(path string, entry os.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			keys = append(keys, strings.TrimPrefix(path, root+"/"))
		}
		return err
	})
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return keys
}

func (p place) wantPieces(t *testing.T, want int) {
	t.Helper()
	if got := p.keysIn(t, "pieces"); len(got) != want {
		t.Errorf("there are the pieces %q, want %d", got, want)
	}
	if left, err := filepath.Glob(server.File(p.bucket, ".sgwtmp/multipart/*/*")); err != nil || len(left) > 0 {
		t.Errorf("uploads in parts that did not end: %v (%v)", left, err)
	}
}

func TestChunksOfAnyLengthMakeOneObject(t *testing.T) {
	data := large(34<<20 + 3)
	for name, tc := range map[string]struct {
		chunks []int
		pieces int
	}{
		"all in one":                           {nil, 1},
		"of a part and a byte":                 {[]int{16<<20 + 1}, 2},
		"of exactly a part":                    {[]int{16 << 20, 16 << 20}, 3},
		"that are short, and kept once more":   {[]int{1 << 20, 1 << 20, 1 << 20, 1 << 20, 1 << 20, 1}, 2},
		"a short one between long ones":        {[]int{16 << 20, 100, 16 << 20}, 3},
		"that are as long as is asked of them": {[]int{5 << 20, 5 << 20, 5 << 20}, 4},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlace(t)
			replicas := []*s3store.Registry{p.openRegistry(t), p.elsewhere(t).openRegistry(t), p.elsewhere(t).openRegistry(t)}
			upload, rest := begin(t, replicas[0]), data
			for i, length := range tc.chunks {
				upload = add(t, replicas[i%3], upload, rest[:length])
				rest = rest[length:]
			}
			finish(t, replicas[1], upload, rest, data)
			for _, r := range replicas {
				want(t, r, data)
			}
			p.wantPieces(t, tc.pieces)
			wantRange(t, replicas[2], data, 5<<20-3, 20<<20)
			wantRange(t, replicas[2], data, int64(len(data))-3, 10)
		})
	}
}

func wantRange(t *testing.T, s store.Store, data []byte, offset, length int64) {
	t.Helper()
	object, err := s.Open(t.Context(), digest.FromBytes(data))
	must(t, err)
	section, err := object.Section(t.Context(), offset, length)
	must(t, err)
	got, err := io.ReadAll(section)
	must(t, errors.Join(err, section.Close(), object.Close()))
	if !bytes.Equal(got, data[offset:min(offset+length, int64(len(data)))]) {
		t.Errorf("%d bytes from %d on are others", length, offset)
	}
}

func TestWhoIsTooLateLeavesNothing(t *testing.T) {
	p := newPlace(t)
	r := p.openRegistry(t)
	upload := add(t, r, begin(t, r), []byte("begin,"))
	var group errgroup.Group
	for i := range 8 {
		replica := p.elsewhere(t).openRegistry(t)
		chunk := bytes.Repeat([]byte{byte('a' + i)}, 1000)
		group.Go(func() error {
			_, err := replica.Append(t.Context(), upload.ID, upload.Size, bytes.NewReader(chunk))
			if errors.Is(err, store.ErrConflict) {
				err = nil
			}
			return err
		})
	}
	must(t, group.Wait())
	p.wantPieces(t, 1)
	must(t, r.CancelUpload(t.Context(), upload.ID))
	p.wantPieces(t, 0)
}

func TestABodyThatBreaksLeavesNothing(t *testing.T) {
	p := newPlace(t)
	r := p.openRegistry(t)
	gone := errors.New("the client is gone")
	for name, length := range map[string]int{"at once": 0, "in its first part": 1000, "in its third part": 40 << 20} {
		t.Run(name, func(t *testing.T) {
			upload := begin(t, r)
			body := io.MultiReader(bytes.NewReader(make([]byte, length)), iotest.ErrReader(gone))
			if _, err := r.Append(t.Context(), upload.ID, 0, body); !errors.Is(err, gone) {
				t.Errorf("got error %v, want that of the body", err)
			}
			p.wantPieces(t, 0)
		})
	}
}

// isSwap tells the write of an upload's document that stands already, which is its record.
func isSwap(r *http.Request) bool {
	return r.Method == http.MethodPut && strings.Contains(r.URL.Path, "/uploads/") && r.Header.Get("If-Match") != ""
}

func TestAnAnswerThatIsLostIsNotTheEndOfAnUpload(t *testing.T) {
	for name, tc := range map[string]struct {
		lose func(r *http.Request) bool
		// times is how often the answer is lost, though the server did as it was told.
		times int64
		// known is that the process itself finds out what became of it.
		known bool
	}{
		"of a swap":               {isSwap, 1, true},
		"of a swap, and of all":   {isSwap, 1000, false},
		"of a part":               {func(r *http.Request) bool { return r.URL.Query().Get("partNumber") == "1" }, 1, true},
		"of the end of all parts": {func(r *http.Request) bool { return r.Method == http.MethodPost && r.URL.Query().Has("uploadId") }, 1000, false},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFront(t)
			p := withFront(t, f)
			p.change = func(o *s3store.Options) { o.Timeouts.Answer = 20 * time.Second; o.Timeouts.Pause = time.Nanosecond }
			r, data := p.openRegistry(t), large(20<<20)
			upload := add(t, r, begin(t, r), data[:10])
			var lost atomic.Int64
			f.do(func(w http.ResponseWriter, request *http.Request, proxy http.Handler) {
				if tc.lose(request) && lost.Add(1) <= tc.times {
					proxy.ServeHTTP(httptest.NewRecorder(), request)
					panic(http.ErrAbortHandler)
				}
				proxy.ServeHTTP(w, request)
			})
			next, err := r.Append(t.Context(), upload.ID, upload.Size, bytes.NewReader(data[10:18<<20]))
			if known := err == nil; known != tc.known {
				t.Errorf("got error %v", err)
			}
			f.mend()
			told, err := p.openRegistry(t).Upload(t.Context(), upload.ID)
			must(t, err)
			if told.Size != upload.Size && told.Size != 18<<20 || tc.known && told != next {
				t.Fatalf("%d bytes are there, want all of the chunk or nothing", told.Size)
			}
			finish(t, r, told, data[told.Size:], data)
			want(t, r, data)
		})
	}
}

func TestAServerInTroubleLosesNothingThatWasAcknowledged(t *testing.T) {
	for name, fault := range map[string]fault{"a server that answers 500": fails, "one that cuts connections": refuses, "one that hangs": hangs, "one that is busy": busy} {
		t.Run(name, func(t *testing.T) {
			f := newFront(t)
			p := withFront(t, f)
			r := p.openRegistry(t)
			upload := add(t, r, begin(t, r), []byte("begin,"))
			f.do(fault)
			_, appended := r.Append(t.Context(), upload.ID, upload.Size, strings.NewReader("middle,"))
			_, began := r.BeginUpload(t.Context(), debian)
			_, looked := r.Upload(t.Context(), upload.ID)
			for what, err := range map[string]error{"adding": appended, "beginning": began, "looking": looked} {
				if err == nil || errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrConflict) {
					t.Errorf("%s: got error %v, want that of the server", what, err)
				}
			}
			f.mend()
			must(t, r.Probe(t.Context()))
			finish(t, r, upload, []byte("end"), []byte("begin,end"))
			want(t, r, []byte("begin,end"))
		})
	}
}

// busy is how S3 answers a write whose key others write to, and everything else fails.
func busy(w http.ResponseWriter, r *http.Request, _ http.Handler) {
	if r.Method == http.MethodGet {
		fails(w, r, nil)
		return
	}
	w.WriteHeader(http.StatusConflict)
	_, _ = io.WriteString(w, "<Error><Code>ConditionalRequestConflict</Code></Error>")
}

func TestAWriteThatTheServerWasTooBusyForIsMadeAgain(t *testing.T) {
	f := newFront(t)
	p := withFront(t, f)
	p.change = func(o *s3store.Options) { o.Timeouts.Answer = 20 * time.Second }
	r := p.openRegistry(t)
	upload, left := begin(t, r), 2
	f.do(func(w http.ResponseWriter, request *http.Request, proxy http.Handler) {
		if left > 0 && isSwap(request) {
			left--
			busy(w, request, proxy)
			return
		}
		proxy.ServeHTTP(w, request)
	})
	upload = add(t, r, upload, []byte("begin,"))
	finish(t, r, upload, []byte("end"), []byte("begin,end"))
}

func TestNothingIsPushedToAServerThatKeepsToNoConditions(t *testing.T) {
	for name, answer := range map[string]func(http.ResponseWriter){
		"that knows none": func(w http.ResponseWriter) {
			w.WriteHeader(http.StatusNotImplemented)
			_, _ = io.WriteString(w, "<Error><Code>NotImplemented</Code></Error>")
		},
		"that writes all the same": func(w http.ResponseWriter) { w.Header().Set("Etag", `"00"`) },
	} {
		for _, header := range []string{"If-Match", "If-None-Match"} {
			t.Run(name+", "+header, func(t *testing.T) {
				f := newFront(t)
				p := withFront(t, f)
				must(t, func() error { _, err := newPlace(t).openRegistry(t).BeginUpload(t.Context(), debian); return err }())
				f.do(func(w http.ResponseWriter, r *http.Request, proxy http.Handler) {
					if r.Method == http.MethodPut && r.Header.Get(header) != "" {
						_, _ = io.Copy(io.Discard, r.Body)
						answer(w)
						return
					}
					proxy.ServeHTTP(w, r)
				})
				r := p.openRegistry(t)
				_, began := r.BeginUpload(t.Context(), debian)
				for what, err := range map[string]error{"a push": began, "a probe": r.Probe(t.Context()), "a manifest": r.Put(t.Context(), prove(t, []byte("x")), []byte("x"))} {
					if !errors.Is(err, store.ErrFailing) || !strings.Contains(err.Error(), "conditional writes") {
						t.Errorf("%s: got error %v, want one that says what the server lacks", what, err)
					}
				}
				if _, err := r.Open(t.Context(), digest.FromString("x")); !errors.Is(err, store.ErrNotFound) {
					t.Errorf("what is not there: got error %v, want ErrNotFound", err)
				}
			})
		}
	}
}
