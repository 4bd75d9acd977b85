package faults

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/registryhub/registryhub/test/faults/origin"
)

// What a client saw.
const (
	right = "ok"
	// wrong is what must never be: bytes that pass for what they are not.
	wrong = "WRONG BYTES"
	cut   = "cut"
)

// strict pulls through a proxy alone, tries each thing once and believes nothing.
type strict struct {
	base string
	// host that is meant, as ?ns= has it.
	host   string
	client *http.Client
}

func newStrict(address, host string) strict {
	return strict{base: "http://" + address, host: host, client: &http.Client{Transport: &http.Transport{DisableCompression: true}}}
}

// pull pulls an image and returns what it saw: right, or the first thing that was not.
func (s strict) pull(ctx context.Context, image *origin.Image) string {
	defer s.client.CloseIdleConnections()
	if saw := s.resolve(ctx, image); saw != right {
		return saw
	}
	for _, d := range image.Descriptors {
		if saw := s.fetch(ctx, image, d); saw != right {
			return saw
		}
	}
	return right
}

// resolve asks what the tag names.
func (s strict) resolve(ctx context.Context, image *origin.Image) string {
	resp, err := s.do(ctx, http.MethodHead, image.Repository+"/manifests/"+image.Tag, "")
	if err != nil {
		return "no answer: " + err.Error()
	}
	defer func() { _ = resp.Body.Close() }()
	switch {
	case resp.StatusCode != http.StatusOK:
		return strconv.Itoa(resp.StatusCode)
	case resp.Header.Get("Docker-Content-Digest") != image.Root.Digest.String(), resp.ContentLength != image.Root.Size:
		return wrong + " (the tag)"
	default:
		return right
	}
}

// fetch gets one object whole.
func (s strict) fetch(ctx context.Context, image *origin.Image, d ocispec.Descriptor) string {
	body, status, err := s.get(ctx, image, d, "")
	at := ""
	if !isManifest(d) {
		at = "blob: "
	}
	switch {
	case status == 0:
		return at + "no answer: " + err.Error()
	case status != http.StatusOK:
		return at + strconv.Itoa(status)
	case err == nil && (int64(len(body)) != d.Size || digest.FromBytes(body) != d.Digest):
		return at + wrong
	case errors.Is(err, io.ErrUnexpectedEOF):
		return at + cut
	case err != nil:
		return at + err.Error()
	default:
		return right
	}
}

// get returns what came of an object or a range of it, and why it ended early.
func (s strict) get(ctx context.Context, image *origin.Image, d ocispec.Descriptor, ranges string) ([]byte, int, error) {
	resp, err := s.do(ctx, http.MethodGet, path(image, d), ranges)
	if err != nil {
		return nil, 0, err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if resp.StatusCode < 300 && (resp.ContentLength < 0 || resp.Header.Get("Docker-Content-Digest") != d.Digest.String()) {
		return nil, resp.StatusCode, fmt.Errorf("%s has no length or not its digest: %v", d.Digest, resp.Header)
	}
	return body, resp.StatusCode, err
}

// open begins to get an object from an offset on.
func (s strict) open(ctx context.Context, image *origin.Image, d ocispec.Descriptor, offset int64) (*http.Response, error) {
	ranges := ""
	if offset > 0 {
		ranges = fmt.Sprintf("bytes=%d-", offset)
	}
	return s.do(ctx, http.MethodGet, path(image, d), ranges)
}

func path(image *origin.Image, d ocispec.Descriptor) string {
	kind := "blobs"
	if isManifest(d) {
		kind = "manifests"
	}
	return image.Repository + "/" + kind + "/" + d.Digest.String()
}

func (s strict) do(ctx context.Context, method, path, ranges string) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, method, s.base+"/v2/"+path+"?ns="+s.host, http.NoBody)
	if err != nil {
		return nil, err
	}
	if ranges != "" {
		request.Header.Set("Range", ranges)
	}
	return s.client.Do(request)
}

func isManifest(d ocispec.Descriptor) bool {
	return slices.Contains([]string{ocispec.MediaTypeImageManifest, ocispec.MediaTypeImageIndex}, d.MediaType)
}
