package s3store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/opencontainers/go-digest"

	"github.com/registryhub/registryhub/proxy/store"
)

// session is how far an upload is.
type session struct {
	Repository store.Repository `json:"repository"`
	// Size of everything so far, and the state of its hash; none while there is nothing.
	Size int64  `json:"size"`
	Sum  []byte `json:"sum,omitempty"`
	// Pieces that it is in.
	Pieces []piece `json:"pieces,omitempty"`
	// Finishing is the digest of the whole, after which nothing is added.
	Finishing digest.Digest `json:"finishing,omitempty"`
	// Over says that nobody goes on with it. What it brought is named by the object Finishing, or by nothing.
	Over bool `json:"over,omitempty"`
}

// errFinishing is the conflict with whoever has the whole of it already.
var errFinishing = fmt.Errorf("it is whole: %w", store.ErrConflict)

// leastPiece is the least that S3 takes for a part. What is shorter is kept again with what comes after it.
const leastPiece = 5 << 20

// piecesAtLeast is the number of pieces from which on they are twice as long at least, so that a session is a small document.
const piecesAtLeast = 1000

// LeastChunk implements store.Chunked.
func (*Registry) LeastChunk() int64 { return leastPiece }

// standingSession is a session, and the document that says so.
type standingSession struct {
	session
	id       string
	document document
}

// openSession finds one that is not over. store.ErrNotFound.
func (r *Registry) openSession(ctx context.Context, id string) (standingSession, error) {
	s, err := r.findSession(ctx, id)
	if err == nil && s.Over {
		err = store.ErrNotFound
	}
	return s, err
}

func (r *Registry) findSession(ctx context.Context, id string) (standingSession, error) {
	s := standingSession{id: id}
	var err error
	if s.document, err = r.find(ctx, r.keys.session(id)); err != nil {
		return s, err
	}
	if err = json.Unmarshal(s.document.content, &s.session); err != nil {
		err = fmt.Errorf("%w: %w", store.ErrNotFound, err)
	}
	return s, err
}

// sumAt is the hash of what is there, if that ends at an offset. store.ErrConflict.
func (s session) sumAt(offset int64) (*store.Sum, error) {
	switch {
	case s.Finishing != "":
		return nil, errFinishing
	case s.Size != offset:
		return nil, fmt.Errorf("it has %d bytes: %w", s.Size, store.ErrConflict)
	case s.Size == 0:
		return store.NewSum(digest.Canonical), nil
	}
	return store.ResumeSum(digest.Canonical, s.Sum, s.Size)
}

// tail is the last piece, if it is too short to stand: the zero piece otherwise.
func (s session) tail() piece {
	n := len(s.Pieces)
	if n == 0 || s.Pieces[n-1].Size >= leastPiece<<(n/piecesAtLeast) {
		return piece{}
	}
	return s.Pieces[n-1]
}

// with is the session with a piece more, which has the tail in it; with the zero piece it is as it was.
func (s session) with(p piece, sum *store.Sum) (session, error) {
	if p.Size > 0 {
		stay := len(s.Pieces)
		if s.tail() != (piece{}) {
			stay--
		}
		s.Pieces = append(s.Pieces[:stay:stay], p)
	}
	s.Size = sum.Size()
	var err error
	s.Sum, err = sum.State()
	return s, err
}

// superseded is the piece that is in another one of the next session; the zero piece when there is none.
func (s session) superseded(next session) piece {
	tail, n := s.tail(), len(next.Pieces)
	if n > 0 && next.Pieces[n-1] == tail {
		return piece{}
	}
	return tail
}

// swap writes what comes after a session. store.ErrConflict: somebody else was faster.
func (r *Registry) swap(ctx context.Context, now standingSession, next session) error {
	content, err := fresh(next)
	if err == nil {
		err = r.replace(ctx, r.keys.session(now.id), now.document, content)
	}
	if errors.Is(err, errChanged) {
		return fmt.Errorf("%w: %w", store.ErrConflict, err)
	}
	return err
}

// end ends a session whose pieces are an object's, or nobody's. That somebody else did is as good.
func (r *Registry) end(ctx context.Context, now standingSession) error {
	content, err := fresh(session{Repository: now.Repository, Size: now.Size, Finishing: now.Finishing, Over: true})
	if err == nil {
		err = r.replace(ctx, r.keys.session(now.id), now.document, content)
	}
	return err
}

// resurrect has an upload name the pieces of an object again. It reports whether the upload is over: the pieces of one that
// is not may be made an object once more.
func (r *Registry) resurrect(ctx context.Context, e entry) (bool, error) {
	content, err := fresh(session{Size: e.Size, Finishing: e.Digest, Over: true})
	if err != nil {
		return false, err
	}
	for {
		now, err := r.findSession(ctx, e.Upload)
		if err == nil && !now.Over {
			return false, nil
		}
		if err == nil || errors.Is(err, store.ErrNotFound) {
			err = r.replace(ctx, r.keys.session(e.Upload), now.document, content)
		}
		if !errors.Is(err, errChanged) {
			return err == nil, err
		}
	}
}
