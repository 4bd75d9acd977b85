package v1alpha1

import (
	"crypto/sha256"
	"encoding/hex"
)

// Hash names the content of a configuration file: its SHA-256, in hexadecimal. It is taken of the bytes, so that what
// cannot be decoded has one too.
func Hash(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

// ReportPath is where a proxy's diagnostics address serves its ProxyReport, as JSON.
const ReportPath = "/configz"

// ProxyReport is what a proxy says of its configuration, of its store, and of how it fares.
type ProxyReport struct {
	// InForce is the Hash of the file that the proxy serves with.
	InForce string `json:"inForce"`

	// Refused is the file as it is now, where it cannot be taken into force. Absent while all is well.
	Refused *RefusedConfiguration `json:"refused,omitempty"`

	// Store says whether anything new is kept. What a proxy without this field says is that all is well.
	Store StoreReport `json:"store,omitzero"`

	// Identities says whether the cluster can be asked whose a token is. Absent where tokens of the cluster let nobody in, until it
	// was asked, and from a proxy that is older than this.
	Identities *IdentitiesReport `json:"identities,omitempty"`

	// Prewarm says how far the proxy is with what it pulls ahead. Absent when there is nothing of the kind.
	Prewarm *PrewarmReport `json:"prewarm,omitempty"`

	// Figures of the proxy. Absent from a proxy that is older than they are.
	Figures *ProxyFigures `json:"figures,omitempty"`
}

// StoreReport is what a proxy says of its store. One in trouble is served from all the same; what is not in it streams
// through.
type StoreReport struct {
	// Failing is true while the store cannot be written: it is read-only, broken or gone.
	Failing bool `json:"failing,omitempty"`

	// Full is true while there is no room in the store, or too little for the proxy to stay within its watermarks, and
	// evicting all that can go does not help: others fill the place, or everything is in use.
	Full bool `json:"full,omitempty"`
}

// IdentitiesReport is what a proxy says of its questions to the cluster. While there is a problem, who shows a token of the
// cluster is refused with 503; everybody else goes on.
type IdentitiesReport struct {
	// Problem says what has kept questions from being answered for half a minute and longer. Empty while they are. At most
	// 1024 bytes.
	Problem string `json:"problem,omitempty"`
}

// RefusedConfiguration is a file that a proxy did not take into force.
type RefusedConfiguration struct {
	// Hash of the file; empty when it cannot be read.
	Hash string `json:"hash,omitempty"`

	// Reason says what is wrong, and what to do about it. At most 1024 bytes.
	Reason string `json:"reason"`
}
