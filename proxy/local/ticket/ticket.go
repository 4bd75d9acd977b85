// Package ticket is how an upload is named in a URL: by what says which upload it is and how much of it was acknowledged,
// signed, so that any replica can go on with it and none can be made to go on with another's. It stands in the path and
// not in the query, which some clients drop.
//
// The package is pure: time comes in as a value.
package ticket

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

// SessionLength is the number of bytes that name a session in a store.
const SessionLength = 16

// KeyLength is the least number of bytes of a key.
const KeyLength = 32

// A ticket's text is, in base64 without padding, the id of the key (4 bytes), the expiry in seconds of the Unix epoch
// (8), the offset (8), the session (16) and the signature (32).
const (
	keyIDLength   = 4
	payloadLength = keyIDLength + 8 + 8 + SessionLength
	wholeLength   = payloadLength + sha256.Size
)

var textLength = base64.RawURLEncoding.EncodedLen(wholeLength)

// purpose keeps a signature from meaning anything elsewhere.
const purpose = "registryhub upload ticket\n"

// ErrInvalid says that a ticket was not signed by one of the keys for what it is shown for, or not lately. Which of these
// it is nobody is told.
var ErrInvalid = errors.New("the upload's URL is not valid, or not any more")

// Place is what a ticket is good for, and nothing else.
type Place struct {
	// Hub and Repository, as the store knows them.
	Hub, Repository string
}

// Ticket names an upload.
type Ticket struct {
	// Session is the upload's name in the store.
	Session [SessionLength]byte
	// Offset is how many bytes had been acknowledged when the ticket was signed.
	Offset int64
	// Expires is when it is good no more, to the second.
	Expires time.Time
}

// Keys sign and check tickets. They are safe for use by many at once.
type Keys struct {
	keys [][]byte
}

// NewKeys returns Keys of which the first signs and all check, so that a key can be replaced while uploads are under way.
// Each must have KeyLength bytes or more.
func NewKeys(keys ...[]byte) (*Keys, error) {
	if len(keys) == 0 {
		return nil, errors.New("signing uploads: there is no key")
	}
	for i, key := range keys {
		if len(key) < KeyLength {
			return nil, fmt.Errorf("signing uploads: key %d has %d bytes: make it of %d random ones at least", i+1, len(key), KeyLength)
		}
	}
	return &Keys{keys: keys}, nil
}

// Sign returns the ticket's text, which needs no escaping in a path.
func (k *Keys) Sign(place Place, t Ticket) string {
	key := k.keys[0]
	whole := make([]byte, 0, wholeLength)
	whole = append(whole, keyID(key)...)
	whole = binary.BigEndian.AppendUint64(whole, uint64(t.Expires.Unix())) //nolint:gosec // read back as it was
	whole = binary.BigEndian.AppendUint64(whole, uint64(t.Offset))         //nolint:gosec // an offset is never negative
	whole = append(whole, t.Session[:]...)
	return base64.RawURLEncoding.EncodeToString(append(whole, signature(key, place, whole)...))
}

// Check reads a ticket's text. ErrInvalid.
func (k *Keys) Check(place Place, text string, now time.Time) (Ticket, error) {
	if len(text) != textLength { // a decoder passes over the ends of lines, wherever they are
		return Ticket{}, ErrInvalid
	}
	whole, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(whole) != wholeLength {
		return Ticket{}, ErrInvalid
	}
	payload, signed := whole[:payloadLength], whole[payloadLength:]
	for _, key := range k.keys {
		if !hmac.Equal(payload[:keyIDLength], keyID(key)) || !hmac.Equal(signed, signature(key, place, payload)) {
			continue
		}
		t := read(payload)
		if !now.Before(t.Expires) {
			return Ticket{}, ErrInvalid
		}
		return t, nil
	}
	return Ticket{}, ErrInvalid
}

func read(payload []byte) Ticket {
	rest := payload[keyIDLength:]
	t := Ticket{
		Expires: time.Unix(int64(binary.BigEndian.Uint64(rest)), 0), //nolint:gosec // it was signed as an int64
		Offset:  int64(binary.BigEndian.Uint64(rest[8:])),           //nolint:gosec // so was this
	}
	copy(t.Session[:], rest[16:])
	return t
}

func keyID(key []byte) []byte {
	sum := sha256.Sum256(append([]byte("registryhub upload key\n"), key...))
	return sum[:keyIDLength]
}

// signature is of everything with its length before it, so that no two places make the same.
func signature(key []byte, place Place, payload []byte) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(purpose))
	for _, part := range [][]byte{[]byte(place.Hub), []byte(place.Repository), payload} {
		var length [8]byte
		binary.BigEndian.PutUint64(length[:], uint64(len(part)))
		mac.Write(length[:])
		mac.Write(part)
	}
	return mac.Sum(nil)
}
