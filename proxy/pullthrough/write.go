package pullthrough

import (
	"context"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/registryhub/registryhub/proxy/distspec"
	"github.com/registryhub/registryhub/proxy/store"
)

// recorder sees what an answer comes to. It passes ReadFrom on, so that files are still sent by the kernel.
type recorder struct {
	http.ResponseWriter
	status   int
	bytes    int64
	headerAt time.Time
}

func (r *recorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status, r.headerAt = status, time.Now()
	}
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(p []byte) (int, error) {
	if r.status == 0 {
		r.WriteHeader(http.StatusOK)
	}
	n, err := r.ResponseWriter.Write(p)
	r.bytes += int64(n)
	return n, err
}

// ReadFrom implements io.ReaderFrom.
func (r *recorder) ReadFrom(src io.Reader) (int64, error) {
	if r.status == 0 {
		r.WriteHeader(http.StatusOK)
	}
	n, err := io.Copy(r.ResponseWriter, src)
	r.bytes += n
	return n, err
}

// Unwrap serves http.ResponseController.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// writeBody answers 200 with a whole body; HEAD gets the same header.
func writeBody(w http.ResponseWriter, r *http.Request, contentType string, body []byte) error {
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(http.StatusOK)
	if r.Method == http.MethodHead {
		return nil
	}
	_, err := w.Write(body) //nolint:gosec // No page: a registry answers JSON, and says so.
	return err
}

// piece is what of a blob is sent: the whole, or a range.
type piece struct {
	distspec.Range
	partial bool
	size    int64
}

// pieceOf reads the Range header, which means something to GET alone (RFC 9110, section 14.2).
func pieceOf(r *http.Request, size int64) (piece, error) {
	p := piece{Range: distspec.Range{First: 0, Last: size - 1}, size: size}
	if r.Method != http.MethodGet {
		return p, nil
	}
	part, partial, err := distspec.ParseRange(r.Header.Get("Range"), size)
	if partial {
		p.Range, p.partial = part, true
	}
	return p, err
}

// writeBlobHeader answers 200 or 206 for a blob. Conditions of the request are not looked at: a 304 is an error to
// containerd.
func writeBlobHeader(w http.ResponseWriter, s source, p piece) {
	h := w.Header()
	h.Set("Accept-Ranges", "bytes")
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Content-Length", strconv.FormatInt(p.Length(), 10))
	h.Set("Docker-Content-Digest", s.digest.String())
	setEffective(h, s.repository, s.effective)
	if !p.partial {
		w.WriteHeader(http.StatusOK)
		return
	}
	h.Set("Content-Range", p.ContentRange(p.size))
	w.WriteHeader(http.StatusPartialContent)
}

func setEffective(h http.Header, repository store.Repository, effective string) {
	if effective != repository.Name {
		h.Set(headerEffective, effective)
	}
}

// send copies a part of what is in the store to the client.
func send(ctx context.Context, w io.Writer, from store.Reader, offset, length int64) (int64, error) {
	section, err := from.Section(ctx, offset, length)
	if err != nil {
		return 0, err
	}
	n, err := io.Copy(w, section)
	if closed := section.Close(); err == nil {
		err = closed
	}
	if err == nil && n < length {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}
