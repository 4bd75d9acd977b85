package fsstore

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/opencontainers/go-digest"

	"github.com/registryhub/registryhub/proxy/store"
)

// longestName is the most bytes that file systems allow. Every name that the specification allows fits, so that it can be read
// from its file's.
const longestName = 255

func (s *Store) blobPath(d digest.Digest) string {
	encoded := d.Encoded()
	return filepath.Join(s.root, "blobs", d.Algorithm().String(), encoded[:2], encoded)
}

func (s *Store) partialPath(d digest.Digest) string {
	return filepath.Join(s.root, "partial", d.Algorithm().String()+"-"+d.Encoded())
}

func (s *Store) quarantinePath(d digest.Digest) string {
	return filepath.Join(s.root, "quarantine", d.Algorithm().String()+"-"+d.Encoded())
}

func (s *Store) linkPath(r store.Repository, d digest.Digest) string {
	return filepath.Join(s.repositoryPath(r), "_links", d.Algorithm().String(), d.Encoded())
}

func (s *Store) tagPath(r store.Repository, tag string) string {
	return filepath.Join(s.repositoryPath(r), "_tags", encodeName(tag))
}

func (s *Store) repositoryPath(r store.Repository) string {
	parts := []string{s.root, "repositories", encodeName(r.Host)}
	for component := range strings.SplitSeq(r.Name, "/") {
		parts = append(parts, encodeName(component))
	}
	return filepath.Join(parts...)
}

// encodeName makes any string one file name, different strings different names: what the specification allows in
// names stays readable. No result is empty, begins with a dot or with the underscore of the folders beside it.
func encodeName(name string) string {
	var b strings.Builder
	for i := range len(name) {
		c := name[i]
		if plain(c) || (i > 0 && (c == '.' || c == '_')) {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	if b.Len() == 0 {
		return "%"
	}
	if b.Len() > longestName {
		sum := sha256.Sum256([]byte(name))
		return "%~" + hex.EncodeToString(sum[:])
	}
	return b.String()
}

func plain(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-'
}
