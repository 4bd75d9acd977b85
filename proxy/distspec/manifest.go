package distspec

import (
	"bytes"
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"net/url"

	"github.com/opencontainers/go-digest"
)

// MaxManifestSize is the most bytes of a manifest: what the specification has every registry accept.
const MaxManifestSize = 4 << 20

// HeaderSubject names, on the answer to a push, the subject of the manifest, which says that referrers are kept.
const HeaderSubject = "OCI-Subject"

// HeaderTag names, on the answer to a push by digest, each tag that was asked for with it (the query's tag).
const HeaderTag = "OCI-Tag"

// MaxTags is the most tags that one push can give a manifest.
const MaxTags = 32

// ParseTags reads the tags of a push: that of its path, or those of the query of one by digest ("Pushing Manifests", since
// 1.1). The error is *Error 400.
func ParseTags(reference Reference, query url.Values) ([]string, error) {
	if !reference.IsDigest() {
		return []string{reference.Tag()}, nil
	}
	tags := query["tag"]
	if len(tags) > MaxTags {
		return nil, NewError(http.StatusBadRequest, CodeUnsupported, fmt.Sprintf("a manifest is given at most %d tags at once", MaxTags))
	}
	for _, tag := range tags {
		if !ValidTag(tag) {
			return nil, NewError(http.StatusBadRequest, CodeManifestInvalid, "the query's tag is none: it does not fit the grammar of tags")
		}
	}
	return tags, nil
}

// The media types of manifests that a registry takes, beside MediaTypeIndex.
const (
	MediaTypeManifest       = "application/vnd.oci.image.manifest.v1+json"
	MediaTypeDockerManifest = "application/vnd.docker.distribution.manifest.v2+json"
	MediaTypeDockerList     = "application/vnd.docker.distribution.manifest.list.v2+json"
)

// Descriptor is how a manifest names something.
type Descriptor struct {
	MediaType string        `json:"mediaType"`
	Digest    digest.Digest `json:"digest"`
	Size      int64         `json:"size"`
	// URLs are where else it is; a registry need not have it then.
	URLs []string `json:"urls,omitempty"`
	// ArtifactType and Annotations are what the manifest says that is described.
	ArtifactType string            `json:"artifactType,omitempty"`
	Annotations  map[string]string `json:"annotations,omitempty"`
}

// Manifest is one that was pushed, and is well-formed.
type Manifest struct {
	// MediaType is one of those that are taken.
	MediaType string
	// Blobs and Manifests are what it names, in its order; the subject is in neither.
	Blobs, Manifests []Descriptor
	// Subject is what it refers to; nil for nothing.
	Subject *Descriptor

	artifactType string
	annotations  map[string]string
}

// manifestDocument is what the formats of OCI and Docker have between them.
type manifestDocument struct {
	SchemaVersion int               `json:"schemaVersion"`
	MediaType     string            `json:"mediaType"`
	ArtifactType  string            `json:"artifactType"`
	Config        *Descriptor       `json:"config"`
	Layers        []Descriptor      `json:"layers"`
	Manifests     []Descriptor      `json:"manifests"`
	Subject       *Descriptor       `json:"subject"`
	Annotations   map[string]string `json:"annotations"`
}

// ParseManifest reads a manifest that is pushed with a Content-Type, whose parameters do not count. Without one, the document
// says what it is. The error is *Error 400 MANIFEST_INVALID, whose message names what is wrong.
func ParseManifest(contentType string, body []byte) (Manifest, error) {
	var doc manifestDocument
	if !bytes.HasPrefix(bytes.TrimLeft(body, " \t\r\n"), []byte("{")) {
		return Manifest{}, invalidManifest("it is no JSON object")
	}
	if err := json.Unmarshal(body, &doc); err != nil {
		return Manifest{}, invalidManifest("it is no JSON of a manifest: " + err.Error())
	}
	mediaType, err := doc.mediaType(contentType)
	if err != nil {
		return Manifest{}, err
	}
	if err := doc.validate(mediaType == MediaTypeIndex || mediaType == MediaTypeDockerList); err != nil {
		return Manifest{}, err
	}
	m := Manifest{
		MediaType: mediaType, Blobs: doc.Layers, Manifests: doc.Manifests, Subject: doc.Subject,
		artifactType: doc.ArtifactType, annotations: doc.Annotations,
	}
	if doc.Config != nil {
		m.Blobs = append([]Descriptor{*doc.Config}, doc.Layers...)
		if m.artifactType == "" {
			m.artifactType = doc.Config.MediaType
		}
	}
	return m, nil
}

func (doc manifestDocument) mediaType(contentType string) (string, error) {
	mediaType, _, err := mime.ParseMediaType(contentType)
	switch {
	case contentType != "" && err != nil:
		return "", invalidManifest("its Content-Type cannot be read")
	case mediaType == "":
		mediaType = doc.MediaType
	case doc.MediaType != "" && doc.MediaType != mediaType:
		return "", invalidManifest(fmt.Sprintf("its mediaType is %.100q and its Content-Type %.100q: make them the same", doc.MediaType, mediaType))
	}
	switch mediaType {
	case MediaTypeManifest, MediaTypeIndex, MediaTypeDockerManifest, MediaTypeDockerList:
		return mediaType, nil
	case "":
		if doc.Manifests != nil {
			return MediaTypeIndex, nil
		}
		return MediaTypeManifest, nil
	}
	return "", invalidManifest(fmt.Sprintf("the media type %.100q is none that this registry takes: push manifests and indexes of OCI, or of Docker's version 2", mediaType))
}

// validate refuses what is both an index and a manifest: clients do not agree about which it is
// (image-spec, GHSA-77vh-xpmg-72qh).
func (doc manifestDocument) validate(isIndex bool) error {
	switch {
	case doc.SchemaVersion != 2:
		return invalidManifest("its schemaVersion is not 2")
	case isIndex && (doc.Config != nil || doc.Layers != nil):
		return invalidManifest("it is an index, and has config or layers")
	case !isIndex && doc.Manifests != nil:
		return invalidManifest("it is a manifest, and has manifests")
	case !isIndex && doc.Config == nil:
		return invalidManifest("config is missing")
	}
	return doc.validateDescriptors()
}

func (doc manifestDocument) validateDescriptors() error {
	alone := func(one *Descriptor) []Descriptor {
		if one == nil {
			return nil
		}
		return []Descriptor{*one}
	}
	for _, member := range []struct {
		name string
		list []Descriptor
	}{{"config", alone(doc.Config)}, {"layers", doc.Layers}, {"manifests", doc.Manifests}, {"subject", alone(doc.Subject)}} {
		for i, one := range member.list {
			if !one.valid() {
				return invalidManifest(fmt.Sprintf("%s (%d of %d): a descriptor has a mediaType, a digest and a size", member.name, i+1, len(member.list)))
			}
		}
	}
	return nil
}

func (d Descriptor) valid() bool {
	_, err := ParseDigest(d.Digest.String())
	return err == nil && d.Size >= 0 && d.MediaType != ""
}

// Descriptor is how the manifest, which has a digest and a size, is listed among the referrers of its subject
// ("Listing Referrers").
func (m Manifest) Descriptor(d digest.Digest, size int64) Descriptor {
	return Descriptor{MediaType: m.MediaType, Digest: d, Size: size, ArtifactType: m.artifactType, Annotations: m.annotations}
}

func invalidManifest(what string) error {
	return NewError(http.StatusBadRequest, CodeManifestInvalid, "the manifest cannot be taken: "+what)
}
