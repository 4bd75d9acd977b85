package origin

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/opencontainers/go-digest"
)

// Status answers with a status and no content.
func Status(code int) Fault {
	return Fault{Name: strconv.Itoa(code), Bend: func(a *Answer) { a.fail(code) }}
}

// RetryAfter answers 429 and asks to wait.
func RetryAfter(wait time.Duration) Fault {
	return Fault{Name: "429 with Retry-After", Bend: func(a *Answer) {
		a.fail(http.StatusTooManyRequests)
		a.Header.Set("Retry-After", strconv.Itoa(int(wait.Seconds())))
	}}
}

func (a *Answer) fail(code int) {
	a.Status, a.Header = code, http.Header{"Content-Type": {"application/json"}}
	a.Body = fmt.Appendf(nil, `{"errors":[{"code":"UNKNOWN","message":"status %d"}]}`, code)
}

// Refused accepts no connection.
func Refused() Fault { return Fault{Name: "connection refused", Refuses: true} }

// Stops ends an answer in a part that is not the body.
func Stops(end End, in Part) Fault {
	name := map[Part]string{Before: "before the header", InHeader: "in the header"}[in]
	return Fault{Name: end.String() + " " + name, Bend: func(a *Answer) { a.Wire.End, a.Wire.In = end, in }}
}

// StopsInBody ends an answer in the body, at a place of it.
func StopsInBody(end End, at Place) Fault {
	return Fault{Name: end.String() + " " + at.String(), OfBodies: true, Bend: func(a *Answer) {
		a.Wire.End, a.Wire.In, a.Wire.At = end, InBody, at.of(len(a.Body))
	}}
}

// StopsAtByte ends the answer at a byte of the whole blob, wherever the answer begins: nobody gets beyond it.
func StopsAtByte(end End, at int) Fault {
	return Fault{Name: fmt.Sprintf("%s at byte %d of the blob", end, at), OfBodies: true, Bend: func(a *Answer) {
		var first int
		_, _ = fmt.Sscanf(a.Header.Get("Content-Range"), "bytes %d-", &first) // an answer without one begins at 0
		a.Wire.End, a.Wire.In, a.Wire.At = end, InBody, min(len(a.Body), max(0, at-first))
	}}
}

func (e End) String() string {
	return map[End]string{Cut: "cut", Reset: "reset", Hang: "hangs"}[e]
}

// Place is somewhere in a body.
type Place uint8

// The places.
const (
	AtStart Place = iota
	InFirstKiB
	InMiddle
	InLastKiB
)

func (p Place) String() string {
	return map[Place]string{
		AtStart: "at the first byte", InFirstKiB: "in the first KiB", InMiddle: "in the middle", InLastKiB: "in the last KiB",
	}[p]
}

func (p Place) of(length int) int {
	switch p {
	case InFirstKiB:
		return min(500, length/2)
	case InMiddle:
		return (length + 1) / 2 // so that who resumes gets on, be it by a byte
	case InLastKiB:
		return max(0, length-500)
	default:
		return 0
	}
}

// FlippedBit changes one bit of the body.
func FlippedBit(at Place) Fault {
	return Fault{Name: "a flipped bit " + at.String(), OfBodies: true, Bend: func(a *Answer) {
		a.Body = slices.Clone(a.Body)
		a.Body[min(len(a.Body)-1, at.of(len(a.Body)))] ^= 4
	}}
}

// Short sends a body that is well-formed and lacks its last bytes. The digest in the header stays.
func Short(by int) Fault {
	return Fault{Name: "a short, well-formed body", OfBodies: true, Bend: func(a *Answer) { a.Body = a.Body[:len(a.Body)-by] }}
}

// Longer sends more bytes than Content-Length says.
func Longer(by int) Fault {
	return Fault{Name: "a body longer than said", OfBodies: true, Bend: func(a *Answer) {
		a.Header.Set("Content-Length", strconv.Itoa(len(a.Body)))
		a.Body = append(slices.Clone(a.Body), make([]byte, by)...)
		a.Wire.Unframed = true
	}}
}

// Endless sends the body, and goes on without an end or a length.
func Endless() Fault {
	return Fault{Name: "an endless body", OfBodies: true, Bend: func(a *Answer) { a.Wire.Endless, a.Wire.Chunked = true, true }}
}

// Chunked sends the body without its length.
func Chunked() Fault {
	return Fault{Name: "chunked, no length", OfBodies: true, Bend: func(a *Answer) { a.Wire.Chunked = true }}
}

// HugeHeader puts n bytes more into the header.
func HugeHeader(n int) Fault {
	return Fault{Name: "a huge header", Bend: func(a *Answer) { a.Header.Set("X-Huge", string(bytes.Repeat([]byte("x"), n))) }}
}

// Gzipped compresses the body on the way, which nobody asked for.
func Gzipped() Fault {
	return Fault{Name: "Content-Encoding: gzip", OfBodies: true, Bend: func(a *Answer) {
		var packed bytes.Buffer
		writer := gzip.NewWriter(&packed)
		_, _ = writer.Write(a.Body) // a buffer takes all
		_ = writer.Close()
		a.Body = packed.Bytes()
		a.Header.Set("Content-Encoding", "gzip")
	}}
}

// Header answers with a field of the header that is not right.
func Header(name, value string) Fault {
	return Fault{Name: "a wrong " + name, Bend: func(a *Answer) { a.Header.Set(name, value) }}
}

// WrongDigest says another digest than the content's.
func WrongDigest() Fault {
	return Header("Docker-Content-Digest", digest.FromString("something else").String())
}

// OtherManifest answers with other bytes than those that the header's digest is of.
func OtherManifest(body []byte) Fault {
	return Fault{Name: "another manifest under the digest", OfBodies: true, Bend: func(a *Answer) { a.Body = body }}
}

// NoRanges answers every request with the whole.
func NoRanges(whole func(*http.Request) []byte) Fault {
	return Fault{Name: "200 to ranges", OfBodies: true, OfRanges: true, Bend: func(a *Answer) {
		a.Status, a.Body = http.StatusOK, whole(a.request)
		a.Header.Del("Content-Range")
	}}
}

// RangesRefused answers 416 to ranges.
func RangesRefused() Fault {
	return Fault{Name: "416 to ranges", OfRanges: true, Bend: func(a *Answer) { a.fail(http.StatusRequestedRangeNotSatisfiable) }}
}

// WrongContentRange says of a range that it is another.
func WrongContentRange() Fault {
	return Fault{Name: "a wrong Content-Range", OfBodies: true, OfRanges: true, Bend: func(a *Answer) {
		a.Header.Set("Content-Range", "bytes 1-2/3")
	}}
}

// OtherRange sends other bytes of the blob than those that it says.
func OtherRange(whole func(*http.Request) []byte) Fault {
	return Fault{Name: "other bytes than the range's", OfBodies: true, OfRanges: true, Bend: func(a *Answer) {
		a.Body = whole(a.request)[:len(a.Body)]
	}}
}

// Redirect leads to the same path elsewhere.
func Redirect(name, base string) Fault {
	return Fault{Name: "redirect " + name, Bend: func(a *Answer) {
		a.fail(http.StatusTemporaryRedirect)
		a.Header.Set("Location", base+a.request.URL.RequestURI())
	}}
}

// Drip sends the answer in small pieces.
func Drip(piece int, pause time.Duration) Fault {
	return Fault{Name: "a slow drip", OfBodies: true, Bend: func(a *Answer) { a.Wire.Piece, a.Wire.Pause = piece, pause }}
}

// Revoked makes a token worth nothing at its first use.
func Revoked() Fault {
	return Fault{Name: "the token is revoked", Bend: func(a *Answer) { a.revoke() }}
}

// Malformed answers 200 with what is not what was asked for.
func Malformed(body string) Fault {
	return Fault{Name: "200 with " + strconv.Quote(body), Bend: func(a *Answer) {
		a.Status, a.Body = http.StatusOK, []byte(body)
		a.Header = http.Header{"Content-Type": {"text/html"}}
	}}
}
