package v1alpha1

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"regexp"
	"strings"
)

// A node proves that it pulls through a hub by pulling an image that only this hub can make: the canary. Its manifest and
// its configuration are functions of the hub's UID and of what its repository is called, so that any replica of the hub can
// answer for it and nobody else can, whatever is asked for, and in whatever order.
const (
	// CanaryTag is the tag of every canary, and the version of how they are made.
	CanaryTag = "v1"
	// canaryPrefix begins with a name that is nobody's (RFC 6761, section 6.4): no registry can have the repository.
	canaryPrefix = "registryhub.invalid/canary/"
)

// AnyHostCanary is the host that a node pulls the canary of the host "*" from. It resolves to nothing, ever (RFC 6761, section
// 6.4), and no hub can be given it: only what is wired for every host without an own directory leads to an answer, and without
// that no registry is asked.
const AnyHostCanary = "any.registryhub.invalid"

// CanaryHost is the host that the canary of a hub's host is pulled from.
func CanaryHost(host string) string {
	if host == AnyHost {
		return AnyHostCanary
	}
	return host
}

// Media types of a canary: those of the OCI image specification, which every runtime of Kubernetes knows.
const (
	canaryManifestType = "application/vnd.oci.image.manifest.v1+json"
	canaryConfigType   = "application/vnd.oci.image.config.v1+json"
	canaryLayerType    = "application/vnd.oci.image.layer.v1.tar"
)

// canaryLayerSize is that of an empty tar archive: its two blocks of end. It is not compressed, since compressors of two
// versions need not agree.
const canaryLayerSize = 1024

var canaryRepository = regexp.MustCompile(`^registryhub\.invalid/canary/([a-z0-9]{1,16})/([0-9a-f]{32})$`)

// CanaryName names one canary. Each pull has its own, so that nothing that a pull left behind can answer for the next.
//
// +kubebuilder:object:generate=false
type CanaryName struct {
	// Architecture of the node, as in GOARCH.
	Architecture string
	// Nonce is 16 random bytes in hexadecimal.
	Nonce string
}

// Repository is the canary's name below a registry host.
func (n CanaryName) Repository() string { return canaryPrefix + n.Architecture + "/" + n.Nonce }

// ParseCanaryRepository is the canary of which Repository is this name, and whether it is one.
func ParseCanaryRepository(repository string) (CanaryName, bool) {
	if !strings.HasPrefix(repository, canaryPrefix) {
		return CanaryName{}, false // which every request of a hub is asked
	}
	match := canaryRepository.FindStringSubmatch(repository)
	if match == nil {
		return CanaryName{}, false
	}
	return CanaryName{Architecture: match[1], Nonce: match[2]}, true
}

// CanaryObject is one of the objects that make a canary.
//
// +kubebuilder:object:generate=false
type CanaryObject struct {
	// MediaType of the object.
	MediaType string
	// Digest is the SHA-256 of the content, with its algorithm.
	Digest string
	// Content of the object. It must not be changed.
	Content []byte
}

// CanaryImage is an image that holds nothing.
//
// +kubebuilder:object:generate=false
type CanaryImage struct {
	Manifest, Config, Layer CanaryObject
}

// NewCanaryImage makes the canary of a hub: the same for the same arguments, in every version of this program.
func NewCanaryImage(hubUID string, name CanaryName) CanaryImage {
	layer := newCanaryObject(canaryLayerType, make([]byte, canaryLayerSize))
	config := newCanaryObject(canaryConfigType, asJSON(imageConfig{
		Architecture: name.Architecture,
		OS:           "linux",
		Config:       imageLabels{Labels: map[string]string{"io.registryhub.canary": canaryProof(hubUID, name)}},
		RootFS:       imageRoot{Type: "layers", DiffIDs: []string{layer.Digest}},
	}))
	manifest := newCanaryObject(canaryManifestType, asJSON(imageManifest{
		SchemaVersion: 2,
		MediaType:     canaryManifestType,
		Config:        config.descriptor(),
		Layers:        []imageDescriptor{layer.descriptor()},
	}))
	return CanaryImage{Manifest: manifest, Config: config, Layer: layer}
}

// Blob is the configuration or the layer, whichever has the digest.
func (i CanaryImage) Blob(digest string) (CanaryObject, bool) {
	for _, blob := range []CanaryObject{i.Config, i.Layer} {
		if blob.Digest == digest {
			return blob, true
		}
	}
	return CanaryObject{}, false
}

// canaryProof does not tell the UID, with which whoever pulled one canary could make the next.
func canaryProof(hubUID string, name CanaryName) string {
	return Hash([]byte("registryhub canary " + CanaryTag + "\n" + hubUID + "\n" + name.Repository() + "\n"))
}

func newCanaryObject(mediaType string, content []byte) CanaryObject {
	sum := sha256.Sum256(content)
	return CanaryObject{MediaType: mediaType, Digest: "sha256:" + hex.EncodeToString(sum[:]), Content: content}
}

func (o CanaryObject) descriptor() imageDescriptor {
	return imageDescriptor{MediaType: o.MediaType, Digest: o.Digest, Size: len(o.Content)}
}

// What a canary needs of the OCI image specification, version 1.1.
type (
	imageManifest struct {
		SchemaVersion int               `json:"schemaVersion"`
		MediaType     string            `json:"mediaType"`
		Config        imageDescriptor   `json:"config"`
		Layers        []imageDescriptor `json:"layers"`
	}
	imageDescriptor struct {
		MediaType string `json:"mediaType"`
		Digest    string `json:"digest"`
		Size      int    `json:"size"`
	}
	imageConfig struct {
		Architecture string      `json:"architecture"`
		OS           string      `json:"os"`
		Config       imageLabels `json:"config"`
		RootFS       imageRoot   `json:"rootfs"`
	}
	imageLabels struct {
		Labels map[string]string `json:"Labels"` //nolint:tagliatelle // so it stands in the specification
	}
	imageRoot struct {
		Type    string   `json:"type"`
		DiffIDs []string `json:"diff_ids"` //nolint:tagliatelle // so it stands in the specification
	}
)

// asJSON is for the types above, which hold nothing that could not be encoded.
func asJSON(value any) []byte {
	content, err := json.Marshal(value)
	if err != nil {
		return nil
	}
	return content
}
