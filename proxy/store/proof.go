package store

import (
	_ "crypto/sha256" // digests that the specification registers
	_ "crypto/sha512"
	"fmt"
	"hash"

	"github.com/opencontainers/go-digest"
)

// Proof says that bytes with this digest and size were hashed. Only a Verifier makes one, so that nothing that was
// not verified can be kept.
type Proof struct {
	digest digest.Digest
	size   int64
}

// Digest of the bytes; empty for the zero Proof, which proves nothing.
func (p Proof) Digest() digest.Digest { return p.digest }

// Size of the bytes.
func (p Proof) Size() int64 { return p.size }

// MismatchError says that bytes are not those that were asked for.
type MismatchError struct {
	// Want is the digest that was asked for, Got that of the bytes.
	Want, Got digest.Digest
	// WantSize is the size that was announced, -1 where none was; GotSize that of the bytes.
	WantSize, GotSize int64
}

func (e *MismatchError) Error() string {
	return fmt.Sprintf("verifying %s: got %d bytes of digest %s, want %d bytes (-1: any): they were not kept", e.Want, e.GotSize, e.Got, e.WantSize)
}

// Verifier hashes an object from its first byte to its last.
type Verifier struct {
	want digest.Digest
	size int64
	hash hash.Hash
	n    int64
}

// NewVerifier returns a Verifier for an object of this digest and size, -1 where the size is not known. The digest
// must be valid.
func NewVerifier(want digest.Digest, size int64) *Verifier {
	return &Verifier{want: want, size: size, hash: want.Algorithm().Hash()}
}

// Write adds the next bytes. It never fails.
func (v *Verifier) Write(p []byte) (int, error) {
	v.n += int64(len(p))
	return v.hash.Write(p)
}

// Offset is the number of bytes so far.
func (v *Verifier) Offset() int64 { return v.n }

// Clone returns an independent Verifier at the same offset.
func (v *Verifier) Clone() (*Verifier, error) {
	cloner, ok := v.hash.(hash.Cloner)
	if !ok {
		return nil, fmt.Errorf("cloning the hash of %s: %s cannot be cloned", v.want, v.want.Algorithm())
	}
	h, err := cloner.Clone()
	if err != nil {
		return nil, fmt.Errorf("cloning the hash of %s: %w", v.want, err)
	}
	return &Verifier{want: v.want, size: v.size, hash: h, n: v.n}, nil
}

// Proof returns the proof that all bytes are there and right, or a *MismatchError.
func (v *Verifier) Proof() (Proof, error) {
	got := digest.NewDigest(v.want.Algorithm(), v.hash)
	if got != v.want || (v.size >= 0 && v.size != v.n) {
		return Proof{}, &MismatchError{Want: v.want, Got: got, WantSize: v.size, GotSize: v.n}
	}
	return Proof{digest: got, size: v.n}, nil
}

// Prove hashes data and returns the proof that it is what want names, or a *MismatchError.
func Prove(want digest.Digest, data []byte) (Proof, error) {
	v := NewVerifier(want, -1)
	_, _ = v.Write(data) // a Verifier's Write never fails
	return v.Proof()
}
