package store

import (
	"encoding"
	"fmt"
	"hash"

	"github.com/opencontainers/go-digest"
)

// Sum hashes bytes whose digest nobody has said yet, over as many processes as it takes.
type Sum struct {
	algorithm digest.Algorithm
	hash      hash.Hash
	n         int64
}

// NewSum returns a Sum of no bytes. The algorithm must be one that is available.
func NewSum(algorithm digest.Algorithm) *Sum {
	return &Sum{algorithm: algorithm, hash: algorithm.Hash()}
}

// ResumeSum returns the Sum of n bytes that State was called of.
func ResumeSum(algorithm digest.Algorithm, state []byte, n int64) (*Sum, error) {
	s := NewSum(algorithm)
	resumed, ok := s.hash.(encoding.BinaryUnmarshaler)
	if !ok {
		return nil, fmt.Errorf("resuming a hash: %s cannot be resumed", algorithm)
	}
	if err := resumed.UnmarshalBinary(state); err != nil {
		return nil, fmt.Errorf("resuming a hash of %s: %w", algorithm, err)
	}
	s.n = n
	return s, nil
}

// Write adds the next bytes. It never fails.
func (s *Sum) Write(p []byte) (int, error) {
	s.n += int64(len(p))
	return s.hash.Write(p)
}

// Size is the number of bytes so far.
func (s *Sum) Size() int64 { return s.n }

// State is what ResumeSum goes on from.
func (s *Sum) State() ([]byte, error) {
	marshaler, ok := s.hash.(encoding.BinaryMarshaler)
	if !ok {
		return nil, fmt.Errorf("keeping the state of a hash: %s cannot be resumed", s.algorithm)
	}
	state, err := marshaler.MarshalBinary()
	if err != nil {
		return nil, fmt.Errorf("keeping the state of a hash of %s: %w", s.algorithm, err)
	}
	return state, nil
}

// Algorithm that it hashes with.
func (s *Sum) Algorithm() digest.Algorithm { return s.algorithm }

// Proof returns the proof that the bytes have a digest of the Sum's algorithm, or a *MismatchError.
func (s *Sum) Proof(want digest.Digest) (Proof, error) {
	got := digest.NewDigest(s.algorithm, s.hash)
	if got != want {
		return Proof{}, &MismatchError{Want: want, Got: got, WantSize: -1, GotSize: s.n}
	}
	return Proof{digest: got, size: s.n}, nil
}
