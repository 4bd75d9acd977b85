package distspec

import (
	"encoding/json"
	"errors"
)

// MediaTypeIndex is the media type of an OCI image index, and so of the answer of the referrers API.
const MediaTypeIndex = "application/vnd.oci.image.index.v1+json"

// HeaderFiltersApplied names, on an answer of the referrers API, what it was filtered by.
const HeaderFiltersApplied = "OCI-Filters-Applied"

// Referrers are the descriptors of what refers to a manifest, each as the upstream wrote it.
type Referrers []json.RawMessage

// index is an OCI image index as the referrers API answers it.
type index struct {
	SchemaVersion int       `json:"schemaVersion"`
	MediaType     string    `json:"mediaType"`
	Manifests     Referrers `json:"manifests"`
}

// referrer is what must be known of a descriptor.
type referrer struct {
	MediaType    string `json:"mediaType"`
	Digest       string `json:"digest"`
	ArtifactType string `json:"artifactType"`
}

// ParseReferrers reads an OCI image index: one by its mediaType or, where it names none, one that has manifests. What is
// no descriptor in it is left out.
func ParseReferrers(body []byte) (Referrers, error) {
	var i index
	if err := json.Unmarshal(body, &i); err != nil {
		return nil, errors.New("reading referrers: it is no JSON of an index")
	}
	if i.MediaType != MediaTypeIndex && (i.MediaType != "" || i.Manifests == nil) {
		return nil, errors.New("reading referrers: it is no OCI image index")
	}
	return i.Manifests.where(func(r referrer) bool { return r.MediaType != "" && validDigest(r.Digest) }), nil
}

func validDigest(s string) bool {
	_, err := ParseDigest(s)
	return err == nil
}

// OfType are those of one artifact type; "" is every one.
func (r Referrers) OfType(artifactType string) Referrers {
	if artifactType == "" {
		return r
	}
	return r.where(func(one referrer) bool { return one.ArtifactType == artifactType })
}

// Encode is the answer of the referrers API, whose list is never null.
func (r Referrers) Encode() ([]byte, error) {
	return json.Marshal(index{SchemaVersion: 2, MediaType: MediaTypeIndex, Manifests: append(Referrers{}, r...)})
}

func (r Referrers) where(wanted func(referrer) bool) Referrers {
	kept := make(Referrers, 0, len(r))
	for _, raw := range r {
		var one referrer
		if json.Unmarshal(raw, &one) == nil && wanted(one) {
			kept = append(kept, raw)
		}
	}
	return kept
}

// ReferrersTag is the reference under which clients keep the referrers of a manifest on a registry that has no
// referrers API ("Referrers Tag Schema").
func ReferrersTag(subject Reference) Reference {
	const longest = 64 // of the encoded part, says the schema
	encoded := subject.digest.Encoded()
	return Reference{tag: subject.digest.Algorithm().String() + "-" + encoded[:min(len(encoded), longest)]}
}
