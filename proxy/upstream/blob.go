package upstream

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/opencontainers/go-digest"

	"github.com/registryhub/registryhub/proxy/distspec"
)

// MaxBlobSize is the largest blob that an upstream is believed to have, in bytes: more than any registry takes.
const MaxBlobSize = 1 << 50

// Blob is a blob on its way from the upstream. Its bytes are not verified: whoever has all of them does that.
type Blob struct {
	// Body begins at the offset that was asked for. It must be closed. Its errors are typed as those of the client;
	// one that ends early is *UnreachableError with io.ErrUnexpectedEOF.
	Body io.ReadCloser
	// Size of the whole blob in bytes; -1 when the upstream does not say.
	Size int64
	// Partial is true when the upstream sends a part. When it sends the whole although only a part was asked for,
	// Body still begins at the offset, after the bytes before it were transferred and thrown away, and goes on to the
	// blob's end.
	Partial bool
	// Ranges is true when the upstream says, or shows by a part, that it can send parts of this blob.
	Ranges bool
}

// Blob asks for length bytes of a blob from an offset on, -1 for all up to the end. The upstream may send fewer, or more.
// The context must live as long as Body is read: its end breaks the transfer off. A Body that is read to its end leaves
// its connection for the next request.
func (c *Client) Blob(ctx context.Context, repository string, d digest.Digest, offset, length int64) (*Blob, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	timer := stallTimer(cancel, c.timeouts.Document)
	resp, err := c.sendBlob(ctx, blobRequest(repository, d), rangeOf(offset, length))
	timer.Stop()
	if err != nil {
		cancel(nil)
		return nil, err
	}
	s, err := spanOf(resp, offset)
	if err == nil {
		err = believable(resp, s.size)
	}
	if err != nil {
		cancel(nil)
		_ = resp.Body.Close() // The connection was given up by cancel.
		return nil, err
	}
	idle := &idleBody{resp: resp, cancel: cancel, timer: timer, timeout: c.timeouts.Idle}
	return &Blob{
		Body:    &spanBody{inner: idle, skip: s.skip, left: s.length},
		Size:    s.size,
		Partial: s.partial,
		Ranges:  s.partial || strings.EqualFold(resp.Header.Get("Accept-Ranges"), "bytes"),
	}, nil
}

// rangeOf is the Range header (RFC 9110, section 14.2); "" where the whole is meant.
func rangeOf(offset, length int64) string {
	switch {
	case length >= 0:
		return fmt.Sprintf("bytes=%d-%d", offset, offset+max(length, 1)-1)
	case offset > 0:
		return fmt.Sprintf("bytes=%d-", offset)
	default:
		return ""
	}
}

// sendBlob asks for a range, or for the whole. Some registries (go-containerregistry's among them) answer 416 to a range
// with an open end, so on 416 the whole is asked for, which also tells the size if the offset is beyond it.
func (c *Client) sendBlob(ctx context.Context, what request, bytes string) (*http.Response, error) {
	if bytes == "" {
		return c.send(ctx, http.MethodGet, what, http.StatusOK)
	}
	ranged := what
	ranged.bytes = bytes
	resp, err := c.send(ctx, http.MethodGet, ranged, http.StatusOK, http.StatusPartialContent)
	if Status(err) == http.StatusRequestedRangeNotSatisfiable {
		return c.send(ctx, http.MethodGet, what, http.StatusOK)
	}
	return resp, err
}

// BlobHead asks whether the upstream has a blob, and how large it is.
func (c *Client) BlobHead(ctx context.Context, repository string, d digest.Digest) (Descriptor, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeouts.Document)
	defer cancel()
	resp, err := c.send(ctx, http.MethodHead, blobRequest(repository, d), http.StatusOK)
	if err != nil {
		return Descriptor{}, err
	}
	defer discard(resp)
	return Descriptor{MediaType: headerMediaType(resp), Digest: d, Size: resp.ContentLength}, believable(resp, resp.ContentLength)
}

func believable(resp *http.Response, size int64) error {
	if size > MaxBlobSize {
		return invalidResponse(resp.Request, "the blob has %d bytes, more than any registry takes", size)
	}
	return nil
}

func blobRequest(repository string, d digest.Digest) request {
	return request{Request: distspec.Request{Kind: distspec.KindBlob, Repository: repository, Reference: distspec.DigestReference(d)}}
}

// span is what an answer holds of a blob.
type span struct {
	skip    int64 // Bytes to throw away at the beginning.
	length  int64 // Bytes after those; -1 when unknown.
	size    int64 // Bytes of the whole blob; -1 when unknown.
	partial bool
}

// spanOf checks that the answer begins with what was asked for.
func spanOf(resp *http.Response, offset int64) (span, error) {
	if resp.StatusCode == http.StatusPartialContent {
		return partialSpan(resp, offset)
	}
	size := resp.ContentLength
	switch {
	case size < 0:
		return span{skip: offset, length: -1, size: -1}, nil
	case size < offset:
		reason := fmt.Sprintf("the blob has %d bytes, fewer than the offset %d", size, offset)
		return span{}, &ShorterError{InvalidResponseError: &InvalidResponseError{Where: whereOf(resp.Request), Reason: reason}, Size: size, Offset: offset}
	}
	return span{skip: offset, length: size - offset, size: size}, nil
}

func partialSpan(resp *http.Response, offset int64) (span, error) {
	sent, size, err := distspec.ParseContentRange(resp.Header.Get("Content-Range"))
	switch {
	case err != nil:
		return span{}, invalidResponse(resp.Request, "%v", err)
	case sent.First != offset:
		return span{}, invalidResponse(resp.Request, "it begins at byte %d instead of %d", sent.First, offset)
	case resp.ContentLength >= 0 && resp.ContentLength != sent.Length():
		return span{}, invalidResponse(resp.Request, "its %d bytes are not the %d of its Content-Range", resp.ContentLength, sent.Length())
	}
	return span{length: sent.Length(), size: size, partial: true}, nil
}
