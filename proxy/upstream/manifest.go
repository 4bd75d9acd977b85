package upstream

import (
	"context"
	"encoding/json"
	"net/http"
	"regexp"
	"strings"

	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/opencontainers/go-digest"

	"github.com/registryhub/registryhub/proxy/distspec"
)

// MaxManifestSize is the most bytes of a manifest: what the specification has every registry accept.
const MaxManifestSize = distspec.MaxManifestSize

// Descriptor is what an upstream says of an object.
type Descriptor struct {
	// MediaType without parameters; empty when unknown.
	MediaType string
	// Digest of the object; empty when the upstream did not say.
	Digest digest.Digest
	// Size in bytes; -1 when the upstream did not say.
	Size int64
}

// Manifest is a manifest or an index, byte for byte as the upstream has it, and verified.
type Manifest struct {
	Descriptor

	// Content has the descriptor's digest and size.
	Content []byte
}

// acceptedManifests are the Accept header: images and indexes, of OCI and of docker (schema 2).
var acceptedManifests = strings.Join([]string{
	string(types.OCIImageIndex),
	string(types.OCIManifestSchema1),
	string(types.DockerManifestList),
	string(types.DockerManifestSchema2),
}, ", ")

// Manifest fetches a manifest. The content is verified against the digest that was asked for or, for a tag, against
// the upstream's Docker-Content-Digest, in whose algorithm Descriptor.Digest then is; without one it is sha256, and a
// Content-Encoding is refused, since the bytes may not be the manifest's. More than MaxManifestSize, or other bytes, is
// *InvalidResponseError, and so is what a tag names and is no manifest.
func (c *Client) Manifest(ctx context.Context, repository string, reference distspec.Reference) (Manifest, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeouts.Document)
	defer cancel()
	resp, err := c.send(ctx, http.MethodGet, manifestRequest(repository, reference), http.StatusOK)
	if err != nil {
		return Manifest{}, err
	}
	defer discard(resp)
	content, err := readAll(resp, MaxManifestSize)
	if err != nil {
		return Manifest{}, err
	}
	got, err := verify(resp, reference, content)
	if err != nil {
		return Manifest{}, err
	}
	return Manifest{
		Descriptor: Descriptor{MediaType: manifestMediaType(resp, content), Digest: got, Size: int64(len(content))},
		Content:    content,
	}, nil
}

// verify is the content's digest, once it is found to be the one that was asked for or, for a tag, that the upstream
// said.
func verify(resp *http.Response, reference distspec.Reference, content []byte) (digest.Digest, error) {
	want := reference.Digest()
	if want == "" {
		want = saidDigest(resp)
	}
	if encoding := resp.Header.Get("Content-Encoding"); want == "" && encoding != "" && !strings.EqualFold(encoding, "identity") {
		return "", invalidResponse(resp.Request, "it has a Content-Encoding although identity was asked for, and no digest tells its bytes from the manifest's")
	}
	if !reference.IsDigest() && !looksLikeManifest(content) {
		return "", invalidResponse(resp.Request, "it is no manifest: a front that answers everything, such as a sign-in page, may stand before the registry")
	}
	if want == "" {
		return digest.FromBytes(content), nil
	}
	if got := want.Algorithm().FromBytes(content); got != want {
		return "", invalidResponse(resp.Request, "its bytes have the digest %s, not %s", got, want)
	}
	return want, nil
}

// looksLikeManifest reports whether content is a JSON object that says what manifests and indexes say of themselves.
func looksLikeManifest(content []byte) bool {
	var said struct {
		SchemaVersion int    `json:"schemaVersion"`
		MediaType     string `json:"mediaType"`
	}
	return json.Unmarshal(content, &said) == nil && (said.SchemaVersion > 0 || mediaTypePattern.MatchString(said.MediaType))
}

// ManifestHead asks what a reference stands for, without its content. An empty digest means that the upstream does not
// say, or does not know HEAD: ask with Manifest.
func (c *Client) ManifestHead(ctx context.Context, repository string, reference distspec.Reference) (Descriptor, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeouts.Document)
	defer cancel()
	resp, err := c.send(ctx, http.MethodHead, manifestRequest(repository, reference), http.StatusOK, http.StatusMethodNotAllowed)
	if err != nil {
		return Descriptor{}, err
	}
	defer discard(resp)
	if resp.StatusCode == http.StatusMethodNotAllowed {
		return Descriptor{Size: -1}, nil
	}
	said := saidDigest(resp)
	if reference.IsDigest() && said != "" && said.Algorithm() == reference.Digest().Algorithm() && said != reference.Digest() {
		return Descriptor{}, invalidResponse(resp.Request, "it speaks of %s", said)
	}
	if reference.IsDigest() {
		said = reference.Digest()
	}
	return Descriptor{MediaType: headerMediaType(resp), Digest: said, Size: resp.ContentLength}, nil
}

func manifestRequest(repository string, reference distspec.Reference) request {
	return request{
		Request: distspec.Request{Kind: distspec.KindManifest, Repository: repository, Reference: reference},
		accept:  acceptedManifests,
	}
}

// saidDigest is Docker-Content-Digest, or "" when it is missing or malformed.
func saidDigest(resp *http.Response) digest.Digest {
	said, err := distspec.ParseDigest(resp.Header.Get("Docker-Content-Digest"))
	if err != nil {
		return ""
	}
	return said
}

// mediaTypePattern is RFC 6838's grammar of a media type.
var mediaTypePattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}$`)

// manifestMediaType believes the header, unless it is of no use, as that of a static file server is.
func manifestMediaType(resp *http.Response, content []byte) string {
	said := headerMediaType(resp)
	if strings.HasSuffix(said, "+json") || strings.HasSuffix(said, "+prettyjws") {
		return said
	}
	var manifest struct {
		MediaType string `json:"mediaType"`
	}
	if json.Unmarshal(content, &manifest) == nil && mediaTypePattern.MatchString(manifest.MediaType) {
		return manifest.MediaType
	}
	return said
}

// headerMediaType is Content-Type without its parameters, or "" when it is missing or malformed.
func headerMediaType(resp *http.Response) string {
	mediaType, _, _ := strings.Cut(resp.Header.Get("Content-Type"), ";")
	if mediaType = strings.TrimSpace(mediaType); !mediaTypePattern.MatchString(mediaType) {
		return ""
	}
	return strings.ToLower(mediaType)
}
