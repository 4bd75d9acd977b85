package s3store

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"

	"github.com/minio/minio-go/v7"
	"golang.org/x/sync/errgroup"

	"github.com/registryhub/registryhub/proxy/store"
)

// piece is an object of the bucket in the folder of the upload that brought it.
type piece struct {
	Name string `json:"name"`
	Size int64  `json:"size"`
}

// errTooLong says that a chunk has more parts than servers take.
var errTooLong = fmt.Errorf("a chunk of more than %d bytes", int64(partSize)*maxParts)

// keepPiece uploads all that a reader has as a piece. It appears whole or not at all. On an error of anything but the reader
// it may be there.
func (r *Registry) keepPiece(ctx context.Context, upload string, from io.Reader) (piece, error) {
	p := piece{Name: rand.Text()}
	key := r.keys.piecesOf(upload) + p.Name
	first, err := r.spool(ctx, from)
	if err != nil {
		return p, err
	}
	if first.full() {
		p.Size, err = r.stream(ctx, key, first, from)
	} else {
		p.Size = first.size
		err = errors.Join(r.upload(ctx, key, first, first.size), first.close())
	}
	if err != nil {
		return piece{Name: p.Name}, err
	}
	r.usage.grow(p.Size)
	return p, nil
}

// stream uploads in parts as they come, of which the first is there.
func (r *Registry) stream(ctx context.Context, key string, first *spool, from io.Reader) (int64, error) {
	id, err := r.beginParts(ctx, key, minio.PutObjectOptions{ContentType: "application/octet-stream"})
	if err != nil {
		return 0, errors.Join(err, first.close())
	}
	s := &streaming{registry: r, key: key, id: id}
	err = s.send(ctx, first, from)
	if err == nil {
		err = r.complete(ctx, key, id, s.parts, minio.PutObjectOptions{})
	}
	if err != nil {
		return 0, errors.Join(err, r.abort(context.WithoutCancel(ctx), key, id))
	}
	return s.size, nil
}

// streaming is an upload in parts whose length nobody knows.
type streaming struct {
	registry *Registry
	key, id  string
	parts    []minio.CompletePart
	size     int64
}

// send uploads parts beside each other until one is not full.
func (s *streaming) send(ctx context.Context, next *spool, from io.Reader) (err error) {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(partsAtOnce)
	sent := make([]*minio.CompletePart, 0, partsAtOnce)
	for err == nil && next.size > 0 {
		if len(sent) == maxParts {
			return errors.Join(errTooLong, next.close(), group.Wait())
		}
		part, last := &minio.CompletePart{}, !next.full()
		sent, s.size = append(sent, part), s.size+next.size
		group.Go(s.part(ctx, next, len(sent), part))
		if last {
			break
		}
		next, err = s.registry.spool(ctx, from)
	}
	if err == nil && next.size == 0 {
		err = next.close()
	}
	if failed := group.Wait(); failed != nil {
		return failed // of which the other is a consequence
	}
	for _, part := range sent {
		s.parts = append(s.parts, *part)
	}
	return err
}

// part is the upload of one, which ends its spool.
func (s *streaming) part(ctx context.Context, from *spool, number int, part *minio.CompletePart) func() error {
	return func() error {
		err := s.registry.uploadPiece(ctx, from, 0, from.size, func(ctx context.Context, body io.Reader) (err error) {
			*part, err = s.registry.sendPart(ctx, s.key, s.id, number, body, from.size)
			return err
		})
		return errors.Join(err, from.close())
	}
}

// dropPieces removes pieces that no document names any more. What cannot be removed is when its upload is forgotten.
func (r *Registry) dropPieces(ctx context.Context, upload string, dropped ...piece) {
	ctx = context.WithoutCancel(ctx)
	for _, p := range dropped {
		if p.Name != "" && r.bucket.remove(ctx, r.keys.piecesOf(upload)+p.Name) == nil {
			r.usage.grow(-p.Size)
		}
	}
}

// joined reads pieces one after the other.
type joined struct {
	registry *Registry
	upload   string
	pieces   []piece
	size     int64
}

// Section implements store.Reader.
func (j joined) Section(ctx context.Context, offset, length int64) (io.ReadCloser, error) {
	if offset < 0 || length < 0 {
		return nil, fmt.Errorf("reading %d bytes from byte %d of an object: neither can be negative", length, offset)
	}
	offset = min(offset, j.size)
	s := &sequence{ctx: ctx, joined: j, offset: offset, left: min(length, j.size-offset)}
	if err := s.next(); err != nil && err != io.EOF { //nolint:errorlint // The end is io.EOF itself; a wrapped one is a server that hung up.
		return nil, err
	}
	return s, nil
}

// sequence is a section on its way.
type sequence struct {
	ctx     context.Context //nolint:containedctx // of the section, which asks for a piece when it comes to it
	joined  joined
	offset  int64 // in what the pieces left make
	left    int64
	current io.ReadCloser // nil before the first and after the last
}

// next opens the next piece that has something of the section; io.EOF when there is none.
func (s *sequence) next() error {
	if err := s.Close(); err != nil {
		return err
	}
	for s.left > 0 && len(s.joined.pieces) > 0 {
		p := s.joined.pieces[0]
		s.joined.pieces = s.joined.pieces[1:]
		if s.offset >= p.Size {
			s.offset -= p.Size
			continue
		}
		length := min(p.Size-s.offset, s.left)
		section, err := s.joined.registry.readPiece(s.ctx, s.joined.upload, p, s.offset, length)
		if err != nil {
			return err
		}
		s.current, s.offset, s.left = section, 0, s.left-length
		return nil
	}
	return io.EOF
}

// Read implements io.Reader.
func (s *sequence) Read(p []byte) (int, error) {
	for s.current != nil {
		n, err := s.current.Read(p)
		if err == io.EOF { //nolint:errorlint // As in Section.
			err = s.next()
		}
		if n > 0 && err == io.EOF { //nolint:errorlint // As in Section.
			err = nil
		}
		if n > 0 || err != nil {
			return n, err
		}
	}
	return 0, io.EOF
}

// Close implements io.Closer.
func (s *sequence) Close() error {
	if s.current == nil {
		return nil
	}
	err := s.current.Close()
	s.current = nil
	return err
}

// readPiece reads a part of a piece that is as long as it was.
func (r *Registry) readPiece(ctx context.Context, upload string, p piece, offset, length int64) (io.ReadCloser, error) {
	s, err := r.bucket.open(ctx, r.keys.piecesOf(upload)+p.Name, offset, length)
	if err == nil && s.size != p.Size {
		err = errors.Join(fmt.Errorf("%w: it has %d bytes and had %d", store.ErrFailing, s.size, p.Size), s.Close())
	}
	if err != nil {
		return nil, fmt.Errorf("reading the piece %s of the upload %s from byte %d: %w", p.Name, upload, offset, err)
	}
	return &exactly{ReadCloser: s, left: length}, nil
}
