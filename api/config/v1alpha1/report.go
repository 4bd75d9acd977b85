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

// ProxyReport is what a proxy says of its configuration: the JSON at /configz of its diagnostics address.
type ProxyReport struct {
	// InForce is the Hash of the file that the proxy serves with.
	InForce string `json:"inForce"`

	// Refused is the file as it is now, where it cannot be taken into force. Absent while all is well.
	Refused *RefusedConfiguration `json:"refused,omitempty"`
}

// RefusedConfiguration is a file that a proxy did not take into force.
type RefusedConfiguration struct {
	// Hash of the file; empty when it cannot be read.
	Hash string `json:"hash,omitempty"`

	// Reason says what is wrong, and what to do about it. At most 1024 bytes.
	Reason string `json:"reason"`
}
