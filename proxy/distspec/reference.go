package distspec

import (
	_ "crypto/sha256" // The algorithms that go-digest computes must be linked in.
	_ "crypto/sha512"
	"net/http"
	"strings"

	"github.com/opencontainers/go-digest"
)

// MaxTagLength is the most characters that a tag has, of the specification's grammar.
const MaxTagLength = 128

// Reference names a manifest: by tag or by digest, never both. The zero value names nothing. References are
// comparable with ==.
type Reference struct {
	tag    string
	digest digest.Digest
}

// ParseReference reads a tag or a digest. What holds a colon is meant as a digest, for no tag may hold one.
//
// A malformed digest is 400 DIGEST_INVALID. A malformed tag is 404 MANIFEST_UNKNOWN: no manifest can have it,
// which is how the conformance suite asks for "a manifest that does not exist".
func ParseReference(s string) (Reference, error) {
	if strings.Contains(s, ":") {
		d, err := ParseDigest(s)
		return Reference{digest: d}, err
	}
	if !ValidTag(s) {
		return Reference{}, NewError(http.StatusNotFound, CodeManifestUnknown, "no manifest can have this tag: it does not fit the grammar of tags")
	}
	return Reference{tag: s}, nil
}

// DigestReference is the reference to a digest that ParseDigest, or a computation, has made.
func DigestReference(d digest.Digest) Reference { return Reference{digest: d} }

// IsDigest reports whether the reference is a digest: what it names never changes.
func (r Reference) IsDigest() bool { return r.digest != "" }

// Digest is the digest, or "" when the reference is a tag.
func (r Reference) Digest() digest.Digest { return r.digest }

// Tag is the tag, or "" when the reference is a digest.
func (r Reference) Tag() string { return r.tag }

// Equal reports whether both name the same; it serves go-cmp.
func (r Reference) Equal(other Reference) bool { return r == other }

// String is the reference as it stands in a path.
func (r Reference) String() string {
	if r.IsDigest() {
		return r.digest.String()
	}
	return r.tag
}

// ValidTag reports whether s is a tag of the specification: [a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}.
func ValidTag(s string) bool {
	if s == "" || len(s) > MaxTagLength || s[0] == '.' || s[0] == '-' {
		return false
	}
	for i := range len(s) {
		if !tagCharacter(s[i]) {
			return false
		}
	}
	return true
}

func tagCharacter(c byte) bool {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		return true
	default:
		return c == '_' || c == '.' || c == '-'
	}
}

// digestLengths are the hexadecimal characters of the algorithms that the specification registers. Others are
// refused, since nothing could be verified.
var digestLengths = map[digest.Algorithm]int{digest.SHA256: 64, digest.SHA512: 128}

// ParseDigest reads a digest of sha256 or sha512 with its exact number of lower-case hexadecimal characters. The
// error is 400 DIGEST_INVALID.
func ParseDigest(s string) (digest.Digest, error) {
	algorithm, encoded, _ := strings.Cut(s, ":")
	length, known := digestLengths[digest.Algorithm(algorithm)]
	if !known || len(encoded) != length || strings.Trim(encoded, "0123456789abcdef") != "" {
		return "", NewError(http.StatusBadRequest, CodeDigestInvalid, "not a digest: write sha256: and 64, or sha512: and 128 lower-case hexadecimal characters")
	}
	return digest.Digest(s), nil
}
