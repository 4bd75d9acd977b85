package pullthrough

import (
	"context"
	"errors"
	"net/http"

	"golang.org/x/sync/semaphore"

	"github.com/registryhub/registryhub/proxy/answer"
	"github.com/registryhub/registryhub/proxy/distspec"
)

const (
	// maxParsed is how many bytes of memory all documents take together at most that are parsed for requests, with what is
	// made of them.
	maxParsed = 64 << 20
	// parsedTimes is how many times its length a document takes while it is parsed: short strings are the dearest.
	parsedTimes = 8
)

var errCrowded = errors.New("too many large lists are read at once: there is no memory for another")

// sendDerived answers with what is made of a document.
func (m *Mirror) sendDerived(w http.ResponseWriter, r *http.Request, mediaType string, one manifest, derive func(document []byte) ([]byte, error)) error {
	room, err := m.takeRoom(r.Context(), one.size)
	if err != nil {
		return err
	}
	defer room.shrink(0)
	body, err := m.read(r.Context(), one)
	if err == nil {
		body, err = derive(body)
	}
	if err != nil {
		return err
	}
	room.shrink(int64(len(body)))
	return answer.Body(w, r, mediaType, body)
}

// read gives the bytes of a document, wherever they are.
func (m *Mirror) read(ctx context.Context, one manifest) (body []byte, err error) {
	if one.body != nil {
		return one.body, nil
	}
	object, err := m.Store.Open(ctx, one.Digest)
	if err == nil {
		body, err = answer.ReadAll(ctx, object)
	}
	if m.storeTrouble(err) != nil {
		return nil, distspec.Unavailable(err) // gone again
	}
	return body, nil
}

// room is memory that a request has taken. None is counted for what is small.
type room struct {
	of    *semaphore.Weighted
	bytes int64
}

// takeRoom waits for the memory that a document of that size takes.
func (m *Mirror) takeRoom(ctx context.Context, size int64) (*room, error) {
	if size <= answer.MaxHeld {
		return &room{}, nil
	}
	ctx, done := context.WithTimeout(ctx, headersWithin)
	defer done()
	taken := &room{of: m.rooms, bytes: min(size*parsedTimes, maxParsed)}
	if err := m.rooms.Acquire(ctx, taken.bytes); err != nil {
		return nil, distspec.Unavailable(errCrowded)
	}
	return taken, nil
}

// shrink gives memory back but for so many bytes.
func (r *room) shrink(to int64) {
	if back := r.bytes - to; back > 0 {
		r.of.Release(back)
		r.bytes = to
	}
}
