package pullthrough

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/registryhub/registryhub/proxy/answer"
	"github.com/registryhub/registryhub/proxy/distspec"
	"github.com/registryhub/registryhub/proxy/store"
)

// stuckFor is how long clients are sent elsewhere at once when a blob's transfer, which was given up, brings nothing again.
const stuckFor = time.Minute

// follow serves a blob, or a range of it, from a fill as it grows. The header goes out with the first byte, or after
// headersWithin when the range begins far ahead of the fill.
func (m *Mirror) follow(ctx context.Context, b blobRequest, f *fill) (err error) {
	p, now, err := f.first(ctx, b.r, m.stuck.has(b.key(), m.Now()))
	if err != nil {
		return err
	}
	reader, err := now.partial.Reader(ctx)
	if errors.Is(err, store.ErrNotFound) {
		return m.serveEnded(ctx, b, f) // since this request joined it
	}
	if err != nil {
		return m.storeTrouble(err)
	}
	defer func() { err = errors.Join(err, reader.Close()) }()
	writeBlobHeader(b.w, b.source, p)
	return m.send(ctx, b, f, reader, p)
}

// serveEnded serves a blob whose fill is gone, unless it failed: then each of many who waited for it would have the same
// bytes sent again. After wrong bytes, of which this client has none, the next upstream is tried, once for all of them.
func (m *Mirror) serveEnded(ctx context.Context, b blobRequest, f *fill) error {
	bounded, cancel := context.WithTimeout(ctx, headersWithin)
	defer cancel()
	now, _ := f.until(bounded, func() bool { return false }) // what is gone is about to end
	if errors.Is(now.err, errCondemned) && !continues(b.r) && b.wrong < len(b.host.Upstreams)-1 {
		b.wrong++
		return m.serveCold(ctx, b)
	}
	if now.err != nil && !errors.Is(now.err, errNotKept) {
		return asUnavailable(now.err)
	}
	return m.serveUncached(ctx, b)
}

// first waits for the first byte of what a request asks for, but not so long that the header would be late. As long as no
// client has a byte a fill may begin again, and find another size.
func (f *fill) first(ctx context.Context, r *http.Request, stuck bool) (answer.Piece, state, error) {
	bounded, cancel := context.WithTimeout(ctx, headersWithin)
	defer cancel()
	for {
		now, err := f.until(ctx, func() bool { return f.size >= 0 })
		if err != nil {
			return answer.Piece{}, now, err
		}
		p, err := answer.PieceOf(r, now.size)
		if err != nil {
			return p, now, err
		}
		end, now, slow := f.await(bounded, p.First)
		if ctx.Err() != nil {
			return p, now, ctx.Err()
		}
		if err := now.withoutByte(end > p.First, slow != nil, stuck); err != nil || now.size == p.Size {
			return p, now, err
		}
	}
}

// withoutByte is why a request gets no header, when it has waited for a byte and got none: the fill failed, or is slow and
// may still begin again, or was stuck lately and seems to be so again. With the header a client would be bound to wait.
func (s state) withoutByte(got, slow, stuck bool) error {
	switch {
	case slow && (s.size <= heldBack || stuck):
		return distspec.Unavailable(errSlow)
	case !slow && !got && s.err != nil && !errors.Is(s.err, errNotKept):
		return asUnavailable(s.err)
	default:
		return nil
	}
}

// send sends what there is, waits for more, and so on.
func (m *Mirror) send(ctx context.Context, b blobRequest, f *fill, reader store.Reader, p answer.Piece) error {
	for offset := p.First; offset <= p.Last; {
		if err := http.NewResponseController(b.w).Flush(); err != nil {
			return err
		}
		end, now, err := f.await(ctx, offset)
		switch {
		case err != nil:
			return err
		case end <= offset && errors.Is(now.err, errNotKept):
			return m.goOn(ctx, b, p, offset, now.verifier)
		case end <= offset:
			return errors.Join(errCut, now.err)
		}
		n, err := answer.Send(ctx, b.w, reader, offset, min(end, p.Last+1)-offset)
		offset += n
		if err != nil {
			return err
		}
	}
	return nil
}
