package s3store

import (
	"encoding/hex"
	"net/url"
	"strings"

	"github.com/opencontainers/go-digest"

	"github.com/registryhub/registryhub/proxy/store"
)

// The folders of a registry, beside those of links and tags.
const (
	entries = "objects/"
	pieces  = "pieces/"
	uploads = "uploads/"
)

const (
	// longestComponent is the most bytes of a component of a repository's name, and longestName that of all of it, so
	// that each name that clients can push to can be read back from its key.
	longestComponent = 255
	longestListed    = 600
)

func (k keys) entry(d digest.Digest) string { return k.in(entries) + place(d) }

func (k keys) session(id string) string { return k.in(uploads) + id }

// piecesOf is the folder of what an upload brought.
func (k keys) piecesOf(upload string) string { return k.in(pieces) + upload + "/" }

func idText(id store.UploadID) string { return hex.EncodeToString(id[:]) }

func (k keys) listedLink(r store.Repository, d digest.Digest) string {
	return k.links(r) + d.Algorithm().String() + "/" + d.Encoded()
}

func (k keys) listedTag(r store.Repository, tag string) string { return k.tags(r) + encodeName(tag) }

func (k keys) links(r store.Repository) string { return k.listed(r) + linksFolder }

func (k keys) tags(r store.Repository) string { return k.listed(r) + tagsFolder }

const (
	linksFolder = "_links/"
	tagsFolder  = "_tags/"
)

// listed is the folder of a repository that can be found by its key.
func (k keys) listed(r store.Repository) string {
	parts := []string{encodeWithin(r.Host, longestComponent)}
	for component := range strings.SplitSeq(r.Name, "/") {
		parts = append(parts, encodeWithin(component, longestComponent))
	}
	name := strings.Join(parts, "/")
	if len(name) > longestListed {
		name = hashed(r.Host + "\n" + r.Name)
	}
	return k.in(repositories) + name + "/"
}

// repositoryAt is the repository of a folder below that of all. One whose name was hashed is not known.
func repositoryAt(folder string) (store.Repository, bool) {
	parts := strings.Split(strings.TrimSuffix(folder, "/"), "/")
	known := len(parts) >= 2
	for i, part := range parts {
		var is bool
		parts[i], is = decodeName(part)
		known = known && is
	}
	if !known {
		return store.Repository{}, false
	}
	return store.Repository{Host: parts[0], Name: strings.Join(parts[1:], "/")}, true
}

// decodeName undoes encodeName, except for what was hashed, or is nobody's name.
func decodeName(part string) (string, bool) {
	if strings.HasPrefix(part, ".") || strings.HasPrefix(part, "_") {
		return "", false // what a server has there for itself
	}
	if part == "!" {
		return "", true
	}
	name, err := url.PathUnescape(strings.ReplaceAll(part, "!", "%"))
	return name, err == nil
}
