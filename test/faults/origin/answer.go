package origin

import (
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Kind says what of an upstream a fault is about. Kinds are added up.
type Kind uint8

// The kinds.
const (
	Manifests Kind = 1 << iota
	SmallBlobs
	Layers // blobs of at least LayerSize
	Tokens

	Blobs      = SmallBlobs | Layers
	Everything = Manifests | Blobs
)

// LayerSize is the size in bytes from which a blob counts among Layers.
const LayerSize = 100 << 10

func (k Kind) String() string {
	var names []string
	for _, one := range []struct {
		kind Kind
		name string
	}{{Manifests, "manifests"}, {Blobs, "blobs"}, {Layers, "layers"}, {SmallBlobs, "small blobs"}, {Tokens, "tokens"}} {
		if k&one.kind == one.kind {
			names = append(names, one.name)
			k &^= one.kind
		}
	}
	return strings.Join(names, ", ")
}

// Answer is what a server would answer, on its way to the wire.
type Answer struct {
	Kind   Kind
	Status int
	Header http.Header
	Body   []byte
	Wire   Wire

	request *http.Request
	// revoke makes the token of the request worth nothing, and the answer say so.
	revoke func()
}

// End is how a connection ends before its answer does.
type End uint8

// The ends. Cut is a FIN, Reset an RST; after Hang nothing comes, and the connection stays.
const (
	Whole End = iota
	Cut
	Reset
	Hang
)

// Part is where in an answer something happens.
type Part uint8

// The parts. Before is before any byte of the answer.
const (
	Before Part = iota
	InHeader
	InBody
)

// Wire says how an answer is written. The zero value is as HTTP has it.
type Wire struct {
	End End
	In  Part
	// At is the number of the body's bytes that come before the end.
	At int
	// Unframed leaves Content-Length as the header has it, whatever the body is.
	Unframed bool
	// Chunked sends the body without its length.
	Chunked bool
	// Endless goes on after the body for ever.
	Endless bool
	// Piece, if above 0, is the most bytes that are written at once; Pause comes after each.
	Piece int
	Pause time.Duration
}

func (w Wire) plain() bool { return w == Wire{} }

func newAnswer(r *http.Request, kind Kind, status int, body []byte) *Answer {
	return &Answer{Kind: kind, Status: status, Header: http.Header{}, Body: body, request: r, revoke: func() {}}
}

// Method of the request.
func (a *Answer) Method() string { return a.request.Method }

// Ranged reports whether a part of a blob was asked for.
func (a *Answer) Ranged() bool { return a.request.Header.Get("Range") != "" }

// span is what a body is of a blob.
func (a *Answer) span() Span {
	var first int64
	_, _ = fmt.Sscanf(a.Header.Get("Content-Range"), "bytes %d-", &first) // a whole one has none
	return Span{Start: first, End: first + int64(len(a.Body))}
}
