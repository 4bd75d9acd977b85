package distspec

import (
	"net/http"
	"strings"
)

// Kind is what a request is about.
type Kind string

// The kinds of requests, with the specification's end points.
const (
	KindBase      Kind = "base"      // end-1: /v2/
	KindManifest  Kind = "manifest"  // end-3: /v2/<name>/manifests/<reference>
	KindBlob      Kind = "blob"      // end-2: /v2/<name>/blobs/<digest>
	KindTags      Kind = "tags"      // end-8: /v2/<name>/tags/list
	KindReferrers Kind = "referrers" // end-12: /v2/<name>/referrers/<digest>
	KindUploads   Kind = "uploads"   // end-4, end-11: /v2/<name>/blobs/uploads/
	KindUpload    Kind = "upload"    // end-5, end-6, end-13: /v2/<name>/blobs/uploads/<session>
)

// Request is what a path of the API asks for. Every field has been validated. Requests are comparable with ==.
type Request struct {
	// Kind says which of the other fields are set.
	Kind Kind
	// Repository is the client-facing name; empty for KindBase.
	Repository string
	// Reference is a tag or a digest for KindManifest, a digest for KindBlob and KindReferrers, and zero otherwise.
	Reference Reference
	// Session is what names an upload for KindUpload, of at most MaxSessionLength characters of A-Z a-z 0-9 _ -, and
	// empty otherwise. It is no more than well-formed.
	Session string
}

const (
	apiRoot       = "/v2"
	tagsMarker    = "/tags/list"
	uploadsMarker = "/blobs/uploads"
	// MaxSessionLength is the most characters that name an upload.
	MaxSessionLength = 160
	maxPathLength    = len(apiRoot) + len("//") + MaxRepositoryLength + len(uploadsMarker) + len("/") + MaxSessionLength
)

// markers are the segments that stand before the reference, with what follows them.
var markers = map[string]Kind{"manifests": KindManifest, "blobs": KindBlob, "referrers": KindReferrers}

// ParseRequest is ParsePath of the path as the client sent it, so that a percent-encoded path is seen as such.
func ParseRequest(r *http.Request) (Request, error) { return ParsePath(r.URL.EscapedPath()) }

// ParsePath reads the escaped path of a request. The grammar's characters need no percent-encoding, so that a
// path with any is refused: what two parsers may read differently is no path. The last marker wins, since a
// repository may have "manifests" or "blobs" in its name.
//
// Errors are *Error: 400 NAME_INVALID or DIGEST_INVALID, 404 MANIFEST_UNKNOWN for a malformed tag, and 404
// UNSUPPORTED for what is no end point of pulling.
func ParsePath(path string) (Request, error) {
	rest, found := strings.CutPrefix(path, apiRoot)
	switch {
	case !found:
		return Request{}, unknownEndpoint()
	case rest == "" || rest == "/":
		return Request{Kind: KindBase}, nil
	case len(path) > maxPathLength || strings.Contains(rest, "%"):
		return Request{}, invalidName()
	case !strings.HasPrefix(rest, "/"):
		return Request{}, unknownEndpoint()
	}
	return parseResource(strings.TrimPrefix(rest[1:], "/"))
}

func parseResource(rest string) (Request, error) {
	if repository, found := strings.CutSuffix(rest, tagsMarker); found {
		return parseRepository(Request{Kind: KindTags, Repository: repository})
	}
	if repository, found := strings.CutSuffix(rest, uploadsMarker); found {
		return parseRepository(Request{Kind: KindUploads, Repository: repository})
	}
	head, reference := cutLast(rest)
	if repository, found := strings.CutSuffix(head, uploadsMarker); found {
		return parseUpload(repository, reference)
	}
	repository, marker := cutLast(head)
	kind, known := markers[marker]
	if !known {
		return Request{}, unknownEndpoint()
	}
	request, err := parseRepository(Request{Kind: kind, Repository: repository})
	if err != nil {
		return Request{}, err
	}
	request.Reference, err = parseReferenceOf(kind, reference)
	if err != nil {
		return Request{}, err
	}
	return request, nil
}

func parseUpload(repository, session string) (Request, error) {
	if session == "" {
		return parseRepository(Request{Kind: KindUploads, Repository: repository})
	}
	request, err := parseRepository(Request{Kind: KindUpload, Repository: repository, Session: session})
	if err == nil && !validSession(session) {
		return Request{}, BlobUploadUnknown(nil)
	}
	return request, err
}

func validSession(s string) bool {
	for i := range len(s) {
		if !tagCharacter(s[i]) || s[i] == '.' {
			return false
		}
	}
	return len(s) <= MaxSessionLength
}

func parseRepository(request Request) (Request, error) {
	if !ValidRepository(request.Repository) {
		return Request{}, invalidName()
	}
	return request, nil
}

func parseReferenceOf(kind Kind, reference string) (Reference, error) {
	if kind == KindManifest {
		return ParseReference(reference)
	}
	d, err := ParseDigest(reference)
	return Reference{digest: d}, err
}

// BuildPath is the path that ParsePath reads as the request.
func BuildPath(request Request) string {
	root := apiRoot + "/"
	switch request.Kind {
	case KindManifest:
		return root + request.Repository + "/manifests/" + request.Reference.String()
	case KindBlob:
		return root + request.Repository + "/blobs/" + request.Reference.String()
	case KindReferrers:
		return root + request.Repository + "/referrers/" + request.Reference.String()
	case KindTags:
		return root + request.Repository + tagsMarker
	case KindUploads:
		return root + request.Repository + uploadsMarker + "/"
	case KindUpload:
		return root + request.Repository + uploadsMarker + "/" + request.Session
	default:
		return root
	}
}

// cutLast cuts at the last slash. Without one, everything is after it.
func cutLast(s string) (before, after string) {
	i := strings.LastIndexByte(s, '/')
	if i < 0 {
		return "", s
	}
	return s[:i], s[i+1:]
}

func unknownEndpoint() error {
	return NewError(http.StatusNotFound, CodeUnsupported, "no such end point: this registry serves /v2/ and, under a repository, manifests, blobs, blobs/uploads/, tags/list and referrers")
}

func invalidName() error {
	return NewError(http.StatusBadRequest, CodeNameInvalid, "not a repository name: write lower-case segments of at most 255 characters in all, with nothing percent-encoded")
}
