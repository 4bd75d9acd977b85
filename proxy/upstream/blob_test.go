package upstream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
)

func readBlob(t *testing.T, c *Client, offset, length int64) (string, *Blob, error) {
	t.Helper()
	b, err := c.Blob(t.Context(), "a", blobDigest, offset, length)
	if err != nil {
		return "", nil, err
	}
	content, err := io.ReadAll(b.Body)
	if closing := b.Body.Close(); closing != nil {
		t.Errorf("closing the body: %v", closing)
	}
	return string(content), b, err
}

func TestBlobOfARealRegistry(t *testing.T) {
	server, _ := serve(t, realRegistry(t, "a"))
	c := client(t, server.URL)
	for _, offset := range []int64{0, 4} {
		got, b, err := readBlob(t, c, offset, -1)
		if err != nil {
			t.Fatal(err)
		}
		if got != blobContent[offset:] || b.Size != 10 {
			t.Errorf("from %d: got %q of %d, partial %v", offset, got, b.Size, b.Partial)
		}
	}
	head, err := c.BlobHead(t.Context(), "a", blobDigest)
	if err != nil || head.Size != 10 || head.Digest != blobDigest {
		t.Errorf("HEAD: got %+v, %v", head, err)
	}
	if _, err := c.Blob(t.Context(), "a", digest.FromString("nothing"), 0, -1); !IsNotFound(err) {
		t.Errorf("a blob that is not there: %v", err)
	}
}

func TestBlobAnswersToARange(t *testing.T) {
	part := func(contentRange, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Range", contentRange)
			w.WriteHeader(http.StatusPartialContent)
			_, _ = io.WriteString(w, body)
		}
	}
	whole := func(body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) }
	}
	tests := map[string]struct {
		answer      http.HandlerFunc
		want        string
		wantSize    int64
		wantInvalid bool
	}{
		"the part that was asked for":           {part("bytes 4-9/10", "456789"), "456789", 10, false},
		"a part of an unknown whole":            {part("bytes 4-9/*", "456789"), "456789", -1, false},
		"less than was asked for":               {part("bytes 4-6/10", "456"), "456", 10, false},
		"the whole: it is skipped over":         {whole(blobContent), "456789", 10, false},
		"a whole of no more than the offset":    {whole("0123"), "", 4, false},
		"a whole that is shorter than that":     {whole("012"), "", 0, true},
		"a part that begins elsewhere":          {part("bytes 3-9/10", "3456789"), "", 0, true},
		"a part without Content-Range":          {part("", "456789"), "", 0, true},
		"a part with a malformed Content-Range": {part("bytes 4-10/10", "4567890"), "", 0, true},
		"a part of another length than it says": {part("bytes 4-9/10", "4567"), "", 0, true},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			server, seen := serve(t, tc.answer)
			got, b, err := readBlob(t, client(t, server.URL), 4, -1)
			if IsInvalidResponse(err) != tc.wantInvalid || (err != nil) != tc.wantInvalid {
				t.Fatalf("got the error %v", err)
			}
			if asked := seen.requests()[0].bytes; asked != "bytes=4-" {
				t.Errorf("asked for %q", asked)
			}
			if !tc.wantInvalid && (got != tc.want || b.Size != tc.wantSize) {
				t.Errorf("got %q of %d, want %q of %d", got, b.Size, tc.want, tc.wantSize)
			}
		})
	}
}

func TestBlobOfALength(t *testing.T) {
	part := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Range", "bytes 2-5/10")
		w.WriteHeader(http.StatusPartialContent)
		_, _ = io.WriteString(w, "2345")
	}
	tests := map[string]struct {
		answer         http.HandlerFunc
		offset, length int64
		asked, want    string
		ranges         bool
	}{
		"a part that is sent":                {part, 2, 4, "bytes=2-5", "2345", true},
		"less of a part than is sent":        {part, 2, 2, "bytes=2-3", "2345", true},
		"the whole is sent":                  {func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, blobContent) }, 2, 4, "bytes=2-5", "23456789", false},
		"the whole is sent, of no length":    {func(w http.ResponseWriter, _ *http.Request) { flush(w, "01234"); flush(w, "56789") }, 2, 4, "bytes=2-5", "23456789", false},
		"the first bytes, the whole is sent": {func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, blobContent) }, 0, 4, "bytes=0-3", blobContent, false},
		"all of it": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Accept-Ranges", "bytes")
			_, _ = io.WriteString(w, blobContent)
		}, 0, -1, "", blobContent, true},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			server, seen := serve(t, tc.answer)
			got, b, err := readBlob(t, client(t, server.URL), tc.offset, tc.length)
			if err != nil || got != tc.want || b.Ranges != tc.ranges {
				t.Errorf("got %q, error %v, ranges %v; want %q, ranges %v", got, err, b.Ranges, tc.want, tc.ranges)
			}
			if asked := seen.requests()[0].bytes; asked != tc.asked {
				t.Errorf("asked for %q, want %q", asked, tc.asked)
			}
		})
	}
}

// TestBlobReadToItsEndLeavesItsConnection is what makes segments cheap.
func TestBlobReadToItsEndLeavesItsConnection(t *testing.T) {
	var connections atomic.Int64
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.ServeContent(w, r, "", time.Time{}, strings.NewReader(blobContent))
	}))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	server.Start()
	t.Cleanup(server.Close)
	c := client(t, server.URL)
	for offset := range int64(10) {
		if got, _, err := readBlob(t, c, offset, 1); err != nil || got != blobContent[offset:offset+1] {
			t.Fatalf("got %q, %v", got, err)
		}
	}
	if got := connections.Load(); got != 1 {
		t.Errorf("ten parts took %d connections, want 1", got)
	}
}

func TestBlobOfUnknownLength(t *testing.T) {
	server, _ := serveFunc(t, func(w http.ResponseWriter, _ *http.Request) {
		flush(w, "01234")
		flush(w, "56789")
	})
	got, b, err := readBlob(t, client(t, server.URL), 0, -1)
	if err != nil || got != blobContent || b.Size != -1 {
		t.Errorf("got %q of %d, %v", got, b.Size, err)
	}
}

func TestBlobThatEndsEarlyIsUnavailability(t *testing.T) {
	for name, answer := range map[string]http.HandlerFunc{
		"at a length that was said":             cut(http.StatusOK, "Content-Length", "10"),
		"at a length that only the range says":  cut(http.StatusPartialContent, "Content-Range", "bytes 4-9/10"),
		"while bytes before the offset come":    cut(http.StatusOK, "Content-Length", "1000"),
		"with no length said, in mid-transfer.": cut(http.StatusOK, "X-None", ""),
	} {
		t.Run(name, func(t *testing.T) {
			server, _ := serve(t, answer)
			_, _, err := readBlob(t, client(t, server.URL), 4, -1)
			if !IsUnavailable(err) {
				t.Errorf("got %v, want it to be unavailability", err)
			}
			if !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("got %v, want io.ErrUnexpectedEOF in it", err)
			}
		})
	}
}

// cut sends five bytes and closes the connection.
func cut(status int, name, value string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set(name, value)
		w.WriteHeader(status)
		flush(w, "45678")
		panic(http.ErrAbortHandler)
	}
}

func TestBlobWithAnEarlyEndOfAWellFormedBody(t *testing.T) {
	server, _ := serveFunc(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Range", "bytes 4-9/10")
		w.WriteHeader(http.StatusPartialContent)
		flush(w, "45") // Chunked, and ended properly.
	})
	if _, _, err := readBlob(t, client(t, server.URL), 4, -1); !errors.Is(err, io.ErrUnexpectedEOF) || !IsUnavailable(err) {
		t.Errorf("got %v", err)
	}
}

func TestBlobThatStalls(t *testing.T) {
	server, _ := serveFunc(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "10")
		flush(w, "01234")
		<-r.Context().Done()
	})
	got, _, err := readBlob(t, clientWith(t, server.URL, brief()), 0, -1)
	if got != "01234" || !IsUnavailable(err) || !errors.Is(err, errStalled) {
		t.Errorf("got %q and %v, want a stall after five bytes", got, err)
	}
}

func TestBlobWhoseReaderLeaves(t *testing.T) {
	server, _ := serveFunc(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "10")
		flush(w, "01234")
		<-r.Context().Done()
	})
	ctx, cancel := context.WithCancel(t.Context())
	b, err := client(t, server.URL).Blob(ctx, "a", blobDigest, 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	_, err = io.ReadAll(b.Body)
	if !errors.Is(err, context.Canceled) || IsUnavailable(err) {
		t.Errorf("got %v, want it to be the reader's own leaving", err)
	}
	_ = b.Body.Close()
}

func TestBlobBodyClosedEarlyEndsTheTransfer(t *testing.T) {
	ended := make(chan struct{})
	server, _ := serveFunc(t, func(w http.ResponseWriter, r *http.Request) {
		defer close(ended)
		w.Header().Set("Content-Length", "10")
		flush(w, "0")
		<-r.Context().Done()
	})
	b, err := client(t, server.URL).Blob(t.Context(), "a", blobDigest, 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	_ = b.Body.Close()
	<-ended
}

func flush(w http.ResponseWriter, text string) {
	_, _ = io.WriteString(w, text)
	_ = http.NewResponseController(w).Flush()
}

func TestTags(t *testing.T) {
	server, seen := serveFunc(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Link", `</v2/p/a/tags/list?n=2&last=v2>; rel="next"`)
		_, _ = fmt.Fprint(w, `{"name":"p/a","tags":["v1","not a tag","v2"]}`)
	})
	got, err := client(t, server.URL+"/p").Tags(t.Context(), "a", "last=v0&n=2")
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Tags) != 2 || got.Next != "n=2&last=v2" {
		t.Errorf("got %+v", got)
	}
	if r := seen.requests()[0]; r.path != "/v2/p/a/tags/list" || r.query != "last=v0&n=2" {
		t.Errorf("asked for %s?%s", r.path, r.query)
	}
}

func TestTagsThatAreNoList(t *testing.T) {
	for body, want := range map[string]bool{`{"tags":null}`: false, `[]`: true, `<html>`: true} {
		server, _ := serveFunc(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) })
		got, err := client(t, server.URL).Tags(t.Context(), "a", "")
		if IsInvalidResponse(err) != want || (!want && got.Tags == nil) {
			t.Errorf("%s: got %+v, %v", body, got, err)
		}
	}
}
