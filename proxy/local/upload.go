package local

import (
	"cmp"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/registryhub/registryhub/proxy/distspec"
	"github.com/registryhub/registryhub/proxy/local/ticket"
	"github.com/registryhub/registryhub/proxy/store"
)

const (
	// UploadsExpire is the default of Rules.
	UploadsExpire = 24 * time.Hour
	// bodyStalled is how long a body may bring nothing.
	bodyStalled = time.Minute
)

// beginUpload answers a POST: a blob of another repository (mount), a whole blob (digest), or a place for one.
func (c call) beginUpload() error {
	query := c.r.URL.Query()
	if mount := query.Get("mount"); mount != "" {
		mounted, err := c.mount(mount, query.Get("from"))
		if err != nil || mounted {
			return err
		}
	}
	if c.Full() {
		return full(nil)
	}
	if query.Has("digest") {
		return c.takeWhole(query.Get("digest"))
	}
	upload, err := c.writable.BeginUpload(c.r.Context(), c.repository)
	if err != nil {
		return err
	}
	if chunked, is := c.Store.(store.Chunked); is && chunked.LeastChunk() > 0 {
		c.w.Header().Set(distspec.HeaderChunkMinLength, strconv.FormatInt(chunked.LeastChunk(), 10))
	}
	return c.progress(http.StatusAccepted, upload)
}

// takeWhole takes a blob that comes with the POST.
func (c call) takeWhole(text string) error {
	want, err := distspec.ParseDigest(text)
	if err != nil {
		return err
	}
	upload, err := c.writable.BeginUpload(c.r.Context(), c.repository)
	if err != nil {
		return err
	}
	err = c.finish(upload, 0, c.body(), want)
	if err != nil {
		err = errors.Join(err, c.writable.CancelUpload(c.r.Context(), upload.ID))
	}
	return err
}

// patchUpload adds a chunk.
func (c call) patchUpload() error {
	upload, offset, err := c.upload()
	if err != nil {
		return err
	}
	if offset, err = c.chunkAt(offset); err != nil {
		return c.outOfOrder(upload, err)
	}
	if c.Full() {
		return full(nil)
	}
	next, err := c.writable.Append(c.r.Context(), upload.ID, offset, c.body())
	if err != nil {
		return c.outOfOrder(upload, err)
	}
	return c.progress(http.StatusAccepted, next)
}

// putUpload takes the last chunk, or none, and ends the upload.
func (c call) putUpload() error {
	want, err := distspec.ParseDigest(c.r.URL.Query().Get("digest"))
	if err != nil {
		return err
	}
	upload, offset, err := c.upload()
	if err != nil {
		return err
	}
	if offset, err = c.chunkAt(offset); err != nil {
		return c.outOfOrder(upload, err)
	}
	body := c.body()
	if c.r.ContentLength == 0 && c.r.Header.Get("Content-Range") == "" {
		offset, body = upload.Size, nil // nothing can be in the wrong place, and the digest is of everything
	}
	return c.finish(upload, offset, body, want)
}

func (c call) finish(upload store.Upload, offset int64, body io.Reader, want digest.Digest) error {
	size, err := c.writable.Finish(c.r.Context(), upload.ID, offset, body, want)
	if err == nil {
		err = c.link(want, size)
	}
	if err != nil {
		return c.outOfOrder(upload, err)
	}
	return c.created(distspec.KindBlob, distspec.DigestReference(want), want)
}

// serveUpload says how far an upload is.
func (c call) serveUpload() error {
	upload, _, err := c.upload()
	if err != nil {
		return err
	}
	return c.progress(http.StatusNoContent, upload)
}

func (c call) deleteUpload() error {
	upload, _, err := c.upload()
	if err == nil {
		err = c.writable.CancelUpload(c.r.Context(), upload.ID)
	}
	if err != nil {
		return absent(err, distspec.BlobUploadUnknown)
	}
	c.w.WriteHeader(http.StatusNoContent)
	return nil
}

// upload finds the upload that a request's URL names, and how far it was when the URL was made.
func (c call) upload() (store.Upload, int64, error) {
	named, err := c.Keys.Check(c.place(), c.Session, c.Now())
	if err != nil {
		return store.Upload{}, 0, distspec.BlobUploadUnknown(err)
	}
	upload, err := c.writable.Upload(c.r.Context(), named.Session)
	if err == nil && upload.Repository != c.repository {
		err = store.ErrNotFound // which no signature is made for
	}
	return upload, named.Offset, absent(err, distspec.BlobUploadUnknown)
}

func (c call) place() ticket.Place { return ticket.Place{Hub: c.Hub, Repository: c.Repository} }

// progress answers with how far an upload is and where it goes on. The range is of a single byte too many while there is
// none, as every registry's is: the specification has no other form.
func (c call) progress(status int, upload store.Upload) error {
	c.setProgress(upload)
	c.w.Header().Set("Content-Length", "0")
	if status == http.StatusNoContent {
		c.w.Header().Del("Content-Length")
	}
	c.w.WriteHeader(status)
	return nil
}

func (c call) setProgress(upload store.Upload) {
	named := ticket.Ticket{Session: upload.ID, Offset: upload.Size, Expires: c.Now().Add(cmp.Or(c.Rules().UploadsExpire, UploadsExpire))}
	request := distspec.Request{Kind: distspec.KindUpload, Repository: c.Repository, Session: c.Keys.Sign(c.place(), named)}
	h := c.w.Header()
	h.Set("Location", distspec.BuildPath(request))
	h.Set("Range", "0-"+strconv.FormatInt(max(0, upload.Size-1), 10))
}

// chunkAt is where a chunk belongs: where the client says, or where the upload was when the client was told of it last.
func (c call) chunkAt(told int64) (int64, error) {
	header := c.r.Header.Get("Content-Range")
	if header == "" {
		return told, nil
	}
	span, err := distspec.ParseChunkRange(header)
	if err == nil && c.r.ContentLength >= 0 && c.r.ContentLength != span.Length() {
		err = distspec.NewError(http.StatusBadRequest, distspec.CodeSizeInvalid, "Content-Range and Content-Length differ in how long the chunk is")
	}
	return span.First, err
}

// outOfOrder says where an upload is, when that is not where the client takes it to be.
func (c call) outOfOrder(upload store.Upload, err error) error {
	switch {
	case errors.Is(err, store.ErrNotFound):
		return distspec.BlobUploadUnknown(err)
	case !errors.Is(err, store.ErrConflict):
		return err
	}
	if now, err := c.writable.Upload(c.r.Context(), upload.ID); err == nil {
		c.setProgress(now)
	}
	return &distspec.Error{
		Status: http.StatusRequestedRangeNotSatisfiable, Code: distspec.CodeBlobUploadInvalid, Err: err,
		Message: "the upload is somewhere else: ask by GET how far it is, and go on there",
	}
}

// body is the request's, which fails when it stalls, and not when it is long.
func (c call) body() io.Reader {
	return &body{ReadCloser: c.r.Body, controller: http.NewResponseController(c.w)}
}

type body struct {
	io.ReadCloser
	controller *http.ResponseController
}

// Read implements io.Reader.
func (b *body) Read(p []byte) (int, error) {
	_ = b.controller.SetReadDeadline(time.Now().Add(bodyStalled)) // one that cannot be had is gone, as the read will tell
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		_ = b.controller.SetReadDeadline(time.Time{})
	}
	if err != nil && !errors.Is(err, io.EOF) {
		err = &distspec.Error{
			Status: http.StatusBadRequest, Code: distspec.CodeSizeInvalid, Err: err,
			Message: "the body ended before its end: nothing of it was kept",
		}
	}
	return n, err
}
