package pullthrough

import (
	"context"
	"errors"
	"net/http"

	"github.com/registryhub/registryhub/proxy/store"
)

// follow serves a blob, or a range of it, from a fill as it grows. The header goes out with the first byte, or after
// headersWithin when the range begins far ahead of the fill.
func (m *Mirror) follow(ctx context.Context, b blobRequest, f *fill) (err error) {
	now, err := f.until(ctx, func() bool { return f.size >= 0 })
	if err != nil {
		return err
	}
	p, err := pieceOf(b.r, now.size)
	if err != nil {
		return err
	}
	reader, err := now.partial.Reader(ctx)
	if errors.Is(err, store.ErrNotFound) {
		return m.serveUncached(ctx, b) // it ended, and was not kept, since this request joined it
	}
	if err != nil {
		return m.storeTrouble(err)
	}
	defer func() { err = errors.Join(err, reader.Close()) }()
	if err := f.firstByte(ctx, p); err != nil {
		return asUnavailable(err)
	}
	writeBlobHeader(b.w, b.source, p)
	return m.send(ctx, b, f, reader, p)
}

// firstByte waits for the first byte of a piece, but not so long that the header would be late.
func (f *fill) firstByte(ctx context.Context, p piece) error {
	bounded, cancel := context.WithTimeout(ctx, headersWithin)
	defer cancel()
	end, now, err := f.await(bounded, p.First)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err == nil && end <= p.First && now.err != nil && !errors.Is(now.err, errNotKept):
		return now.err
	default:
		return nil
	}
}

// send sends what there is, waits for more, and so on.
func (m *Mirror) send(ctx context.Context, b blobRequest, f *fill, reader store.Reader, p piece) error {
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
		n, err := send(ctx, b.w, reader, offset, min(end, p.Last+1)-offset)
		offset += n
		if err != nil {
			return err
		}
	}
	return nil
}
