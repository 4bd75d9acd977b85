package pullthrough

import (
	"context"
	"encoding/json"

	"github.com/registryhub/registryhub/proxy/distspec"
	"github.com/registryhub/registryhub/proxy/metrics"
	"github.com/registryhub/registryhub/proxy/store"
	"github.com/registryhub/registryhub/proxy/upstream"
)

// maxLinks bounds what one manifest can make the store write. Beyond it a blob needs one request to the upstream.
const maxLinks = 4096

// keep puts a manifest into the store: first its link and those of what it names, with the name that it was found by, and
// then the manifest. Links are written together, since a client waits for the syncs. It reports whether the store took it; the manifest can be served even so.
func (m *Mirror) keep(ctx context.Context, repository store.Repository, f found) (manifest, bool) {
	one := manifest{
		Link:     store.Link{Digest: f.Digest, MediaType: f.MediaType, Manifest: true, Effective: f.effective},
		body:     f.Content,
		size:     int64(len(f.Content)),
		upstream: f.upstream,
		lookup:   metrics.Miss,
	}
	proof, err := store.Prove(f.Digest, f.Content)
	if err == nil {
		err = m.linkAll(ctx, repository, append(linksIn(f.Content, f.effective), one.Link))
	}
	if err == nil {
		err = m.Store.Put(ctx, proof, f.Content)
	}
	return one, m.storeTrouble(err) == nil
}

// content is what the manifests and indexes of OCI and Docker name, schema 1 included.
type content struct {
	Config    *descriptor  `json:"config"`
	Layers    []descriptor `json:"layers"`
	Blobs     []descriptor `json:"blobs"`
	Manifests []descriptor `json:"manifests"`
	FSLayers  []struct {
		BlobSum string `json:"blobSum"`
	} `json:"fsLayers"`
}

type descriptor struct {
	MediaType string `json:"mediaType"`
	Digest    string `json:"digest"`
	Size      int64  `json:"size"`
}

// linksIn returns a link for each descriptor in a manifest. What cannot be read as a manifest names nothing.
func linksIn(body []byte, effective string) []store.Link {
	var c content
	if err := json.Unmarshal(body, &c); err != nil {
		return nil
	}
	links := linksOf(c.Manifests, true, effective)
	if c.Config != nil {
		links = append(links, linksOf([]descriptor{*c.Config}, false, effective)...)
	}
	for _, layer := range c.FSLayers {
		c.Blobs = append(c.Blobs, descriptor{Digest: layer.BlobSum})
	}
	links = append(links, linksOf(c.Layers, false, effective)...)
	links = append(links, linksOf(c.Blobs, false, effective)...)
	return unique(links[:min(len(links), maxLinks)])
}

func linksOf(descriptors []descriptor, manifests bool, effective string) []store.Link {
	var links []store.Link
	for _, one := range descriptors {
		if d, err := distspec.ParseDigest(one.Digest); err == nil {
			links = append(links, store.Link{Digest: d, MediaType: one.MediaType, Size: sizeIn(one), Manifest: manifests, Effective: effective})
		}
	}
	return links
}

// sizeIn is the size that a descriptor says, 0 for one that nothing has.
func sizeIn(one descriptor) int64 {
	if one.Size < 0 || one.Size > upstream.MaxBlobSize {
		return 0
	}
	return one.Size
}

// unique keeps the first link of each digest: an empty layer may be named many times.
func unique(links []store.Link) []store.Link {
	seen := make(map[string]bool, len(links))
	kept := links[:0]
	for _, link := range links {
		if !seen[link.Digest.String()] {
			seen[link.Digest.String()] = true
			kept = append(kept, link)
		}
	}
	return kept
}
