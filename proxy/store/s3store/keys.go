package s3store

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/opencontainers/go-digest"

	"github.com/registryhub/registryhub/proxy/store"
)

const (
	// longestName is the most bytes of a part of a key between slashes: servers that keep files allow 255.
	longestName = 200
	// longestRepository leaves room in the 1024 bytes of a key for a prefix and what is below a repository.
	longestRepository = 500
)

// keys names what is in the bucket. It is the prefix, with a slash at its end unless it is empty.
type keys string

func newKeys(prefix string) keys {
	if prefix == "" {
		return ""
	}
	return keys(prefix + "/")
}

// The folders of objects and of their marks, with the same names below them.
const (
	blobs = "blobs/"
	used  = "used/"
)

// repositories is the folder of links and tags.
const repositories = "repositories/"

func (k keys) in(folder string) string { return string(k) + folder }

func (k keys) blob(d digest.Digest) string { return k.in(blobs) + place(d) }

func (k keys) mark(d digest.Digest) string { return k.in(used) + place(d) }

func (k keys) evictor() string { return k.in("evictor") }

func (k keys) probe(process string) string { return k.in("probes/") + process }

// place is where a digest is below blobs/ and used/.
func place(d digest.Digest) string {
	encoded := d.Encoded()
	return d.Algorithm().String() + "/" + encoded[:2] + "/" + encoded
}

// digestAt is the digest at a place; it is not valid for a place of something else.
func digestAt(place string) digest.Digest {
	algorithm, rest, _ := strings.Cut(place, "/")
	_, encoded, _ := strings.Cut(rest, "/")
	return digest.Digest(algorithm + ":" + encoded)
}

func (k keys) link(r store.Repository, d digest.Digest) string {
	return k.repository(r) + "/_links/" + d.Algorithm().String() + "/" + d.Encoded()
}

func (k keys) tag(r store.Repository, tag string) string {
	return k.repository(r) + "/_tags/" + encodeName(tag)
}

func (k keys) repository(r store.Repository) string {
	parts := []string{encodeName(r.Host)}
	for component := range strings.SplitSeq(r.Name, "/") {
		parts = append(parts, encodeName(component))
	}
	name := strings.Join(parts, "/")
	if len(name) > longestRepository {
		name = hashed(r.Host + "\n" + r.Name)
	}
	return k.in(repositories) + name
}

// encodeName makes any string one part of a key, different strings different parts, of the characters that every server takes:
// what the specification allows in names stays readable. No result is empty, begins with a dot or with the underscore of the
// folders beside it.
func encodeName(name string) string { return encodeWithin(name, longestName) }

func encodeWithin(name string, longest int) string {
	var b strings.Builder
	for i := range len(name) {
		c := name[i]
		if plain(c) || (i > 0 && (c == '.' || c == '_')) {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "!%02X", c)
		}
	}
	if b.Len() == 0 {
		return "!"
	}
	if b.Len() > longest {
		return hashed(name)
	}
	return b.String()
}

// hashed cannot be mistaken for a name that was encoded.
func hashed(name string) string {
	sum := sha256.Sum256([]byte(name))
	return "!-" + hex.EncodeToString(sum[:])
}

func plain(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-'
}
