package pullthrough

import (
	"context"
	"errors"
	"fmt"

	"github.com/registryhub/registryhub/proxy/answer"
	"github.com/registryhub/registryhub/proxy/distspec"
	"github.com/registryhub/registryhub/proxy/metrics"
	"github.com/registryhub/registryhub/proxy/store"
)

// serveUncached streams a blob from the upstream to one client, because the store cannot take it: it is full, or another
// process fills the blob. The whole blob is verified on the way; a range that begins later cannot be, and is the
// client's to verify, as it does with every blob that it puts together.
func (m *Mirror) serveUncached(ctx context.Context, b blobRequest) error {
	if continues(b.r) && m.condemned.has(b.hosted(), m.Now()) {
		return distspec.Unavailable(errCondemned)
	}
	head, err := m.admit(ctx, b.source)
	if err == nil && head.Size < 0 {
		err = distspec.Unavailable(errNoSize)
	}
	if err != nil {
		return err
	}
	p, err := answer.PieceOf(b.r, head.Size)
	if err != nil {
		return err
	}
	return m.goOn(ctx, b, p, p.First, store.NewVerifier(b.digest, head.Size))
}

// goOn streams a piece from the offset on. The verifier has hashed the bytes from the start to some place; it is used
// when that is the offset. The header is written with the first bytes, unless it is out.
func (m *Mirror) goOn(ctx context.Context, b blobRequest, p answer.Piece, offset int64, verifier *store.Verifier) error {
	m.Metrics.Lookup("blob", metrics.Uncached)
	out := &uncached{blobRequest: b, Piece: p, offset: offset}
	if verifier != nil && verifier.Offset() == offset && p.Last == p.Size-1 {
		clone, err := verifier.Clone()
		if err != nil {
			return err
		}
		out.verifier = clone
	}
	end := p.Last + 1
	if end == p.Size {
		end = -1
	}
	t := m.newTransfer(b.source, offset, end)
	if err := t.open(ctx); err != nil {
		return asError(err, distspec.BlobUnknown)
	}
	if t.size != p.Size {
		return errors.Join(distspec.Unavailable(fmt.Errorf("the blob has %d bytes, and had %d", t.size, p.Size)), t.close())
	}
	err := out.pump(ctx, t)
	if _, ok := errors.AsType[*store.MismatchError](err); ok {
		err = m.mismatched(b.source, t.from.Name(), err)
	}
	return errors.Join(err, t.close())
}

// uncached is what one client is sent while nothing is kept.
type uncached struct {
	blobRequest
	answer.Piece
	offset   int64           // of the next byte to the client
	verifier *store.Verifier // nil where nothing can be verified
	held     []byte          // the end of the blob, until it is verified
}

func (u *uncached) pump(ctx context.Context, t *transfer) error {
	b := t.mirror.buffers.get()
	defer b.free()
	for t.offset <= u.Last {
		bytes := b.room(u.Last + 1 - t.offset)
		n, err := t.read(ctx, bytes)
		if err != nil {
			return err
		}
		if err := u.pass(bytes[:n]); err != nil {
			return err
		}
		b.took(n)
	}
	return u.finish()
}

// pass sends bytes on, those excepted that are held back until the whole is verified.
func (u *uncached) pass(p []byte) error {
	if u.verifier == nil {
		return u.send(p)
	}
	_, _ = u.verifier.Write(p) // never fails
	now := min(int64(len(p)), max(0, u.Size-heldBack-u.offset))
	u.held = append(u.held, p[now:]...)
	if now == 0 {
		return nil
	}
	return u.send(p[:now])
}

func (u *uncached) finish() error {
	if u.verifier == nil {
		return nil
	}
	if _, err := u.verifier.Proof(); err != nil {
		return err
	}
	return u.send(u.held)
}

func (u *uncached) send(p []byte) error {
	if u.w.Status == 0 {
		writeBlobHeader(u.w, u.source, u.Piece)
	}
	n, err := u.w.Write(p)
	u.offset += int64(n)
	return err
}
