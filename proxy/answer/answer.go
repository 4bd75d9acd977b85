// Package answer writes what mirrors and registries answer alike: whole documents, and blobs or pieces of them.
package answer

import (
	"context"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/registryhub/registryhub/proxy/distspec"
	"github.com/registryhub/registryhub/proxy/store"
)

// Recorder sees what an answer comes to. It passes ReadFrom on, so that files are still sent by the kernel.
type Recorder struct {
	http.ResponseWriter
	// Status of the answer, 0 before its header is out.
	Status int
	// Bytes of its body so far.
	Bytes int64
	// HeaderAt is when its header went out.
	HeaderAt time.Time
}

// WriteHeader implements http.ResponseWriter.
func (r *Recorder) WriteHeader(status int) {
	if r.Status == 0 {
		r.Status, r.HeaderAt = status, time.Now()
	}
	r.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (r *Recorder) Write(p []byte) (int, error) {
	if r.Status == 0 {
		r.WriteHeader(http.StatusOK)
	}
	n, err := r.ResponseWriter.Write(p)
	r.Bytes += int64(n)
	return n, err
}

// ReadFrom implements io.ReaderFrom.
func (r *Recorder) ReadFrom(src io.Reader) (int64, error) {
	if r.Status == 0 {
		r.WriteHeader(http.StatusOK)
	}
	n, err := io.Copy(r.ResponseWriter, src)
	r.Bytes += n
	return n, err
}

// Unwrap serves http.ResponseController.
func (r *Recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// Base answers for the API's root: this is a registry.
func Base(w http.ResponseWriter, r *http.Request) error {
	w.Header().Set("Docker-Distribution-API-Version", "registry/2.0")
	return Body(w, r, "application/json", []byte("{}"))
}

// MaxHeld is how many bytes of an object are read into memory for one client at most, who may be slow to take them. What is
// larger is sent from where it is kept.
const MaxHeld = 64 << 10

// Body answers 200 with a whole body; HEAD gets the same header.
func Body(w http.ResponseWriter, r *http.Request, contentType string, body []byte) error {
	documentHeader(w, contentType, int64(len(body)))
	if r.Method == http.MethodHead {
		return nil
	}
	_, err := w.Write(body)
	return err
}

// Object answers as Body does with what is in a store, which the caller closes. What is read into memory is read before the
// header is out.
func Object(w http.ResponseWriter, r *http.Request, contentType string, object store.Object) error {
	if object.Size() <= MaxHeld {
		body, err := read(r.Context(), object)
		if err != nil {
			return err
		}
		return Body(w, r, contentType, body)
	}
	documentHeader(w, contentType, object.Size())
	if r.Method == http.MethodHead {
		return nil
	}
	_, err := Send(r.Context(), w, object, 0, object.Size())
	return err
}

func documentHeader(w http.ResponseWriter, contentType string, size int64) {
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Length", strconv.FormatInt(size, 10))
	w.WriteHeader(http.StatusOK)
}

// Piece is what of a blob is sent: the whole, or a range.
type Piece struct {
	distspec.Range
	// Partial says that it is a range, and not the whole.
	Partial bool
	// Size of the whole blob.
	Size int64
}

// PieceOf reads the Range header for a blob of size bytes. It means something to GET alone (RFC 9110, section 14.2).
func PieceOf(r *http.Request, size int64) (Piece, error) {
	p := Piece{Range: distspec.Range{First: 0, Last: size - 1}, Size: size}
	if r.Method != http.MethodGet {
		return p, nil
	}
	part, partial, err := distspec.ParseRange(r.Header.Get("Range"), size)
	if partial {
		p.Range, p.Partial = part, true
	}
	return p, err
}

// BlobHeader answers 200 or 206 for a blob. Conditions of the request are not looked at: a 304 is an error to containerd.
func BlobHeader(w http.ResponseWriter, d digest.Digest, p Piece) {
	h := w.Header()
	h.Set("Accept-Ranges", "bytes")
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Content-Length", strconv.FormatInt(p.Length(), 10))
	h.Set("Docker-Content-Digest", d.String())
	if !p.Partial {
		w.WriteHeader(http.StatusOK)
		return
	}
	h.Set("Content-Range", p.ContentRange(p.Size))
	w.WriteHeader(http.StatusPartialContent)
}

// Send copies a part of what is in a store to the client.
func Send(ctx context.Context, w io.Writer, from store.Reader, offset, length int64) (int64, error) {
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

// ReadAll returns the bytes of an object, to be left as they are, and closes it.
func ReadAll(ctx context.Context, object store.Object) (body []byte, err error) {
	defer func() {
		if closed := object.Close(); err == nil {
			err = closed
		}
	}()
	return read(ctx, object)
}

func read(ctx context.Context, object store.Object) ([]byte, error) {
	if whole, ok := object.(store.InMemory); ok {
		return whole.Bytes(), nil
	}
	section, err := object.Section(ctx, 0, object.Size())
	if err != nil {
		return nil, err
	}
	body := make([]byte, object.Size())
	_, err = io.ReadFull(section, body)
	if closed := section.Close(); err == nil {
		err = closed
	}
	return body, err
}
