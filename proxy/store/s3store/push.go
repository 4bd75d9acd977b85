package s3store

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/registryhub/registryhub/proxy/store"
)

// finishWithin bounds how long an upload that is whole is made an object for, so that nobody does who began before it was
// forgotten.
const finishWithin = time.Minute

// BeginUpload implements store.Uploads.
func (r *Registry) BeginUpload(ctx context.Context, repository store.Repository) (store.Upload, error) {
	upload := store.Upload{Repository: repository}
	_, _ = rand.Read(upload.ID[:]) // never fails
	content, err := fresh(session{Repository: repository})
	if err == nil {
		err = r.replace(ctx, r.keys.session(idText(upload.ID)), document{}, content)
	}
	if err != nil {
		return store.Upload{}, fmt.Errorf("beginning an upload: %w", err)
	}
	return upload, nil
}

// Upload implements store.Uploads.
func (r *Registry) Upload(ctx context.Context, id store.UploadID) (store.Upload, error) {
	now, err := r.openSession(ctx, idText(id))
	if err != nil {
		return store.Upload{}, fmt.Errorf("looking up an upload: %w", err)
	}
	return store.Upload{ID: id, Repository: now.Repository, Size: now.Size}, nil
}

// Append implements store.Uploads.
func (r *Registry) Append(ctx context.Context, id store.UploadID, offset int64, body io.Reader) (store.Upload, error) {
	next, err := r.append(ctx, idText(id), offset, body)
	if err != nil {
		return store.Upload{}, fmt.Errorf("adding to an upload at byte %d: %w", offset, err)
	}
	return store.Upload{ID: id, Repository: next.Repository, Size: next.Size}, nil
}

func (r *Registry) append(ctx context.Context, id string, offset int64, body io.Reader) (session, error) {
	now, err := r.openSession(ctx, id)
	if err != nil {
		return session{}, err
	}
	sum, err := now.sumAt(offset)
	if err != nil {
		return session{}, err
	}
	next, brought, err := r.bring(ctx, now, body, sum)
	if err != nil {
		r.dropPieces(ctx, id, brought)
		return session{}, err
	}
	if err := r.swap(ctx, now, next); err != nil {
		r.undo(ctx, id, brought, err)
		return session{}, err
	}
	r.dropPieces(ctx, id, now.superseded(next))
	return next, nil
}

// undo drops the piece of who was too late. Where nobody knows what became of a write it may be named.
func (r *Registry) undo(ctx context.Context, id string, brought piece, err error) {
	if errors.Is(err, store.ErrConflict) {
		r.dropPieces(ctx, id, brought)
	}
}

// bring keeps what a body has as a piece, with the tail of what is there before it, and hashes it. An empty body makes none.
func (r *Registry) bring(ctx context.Context, now standingSession, body io.Reader, sum *store.Sum) (next session, brought piece, err error) {
	if body == nil {
		body = eof{}
	}
	from := bufio.NewReader(io.TeeReader(body, sum))
	if _, err := from.Peek(1); errors.Is(err, io.EOF) {
		next, err = now.with(piece{}, sum)
		return next, piece{}, err
	}
	brought, err = r.keepAfter(ctx, now, from)
	if err == nil {
		next, err = now.with(brought, sum)
	}
	return next, brought, err
}

func (r *Registry) keepAfter(ctx context.Context, now standingSession, from io.Reader) (piece, error) {
	tail := now.tail()
	if tail.Size == 0 {
		return r.keepPiece(ctx, now.id, from)
	}
	before, err := r.readPiece(ctx, now.id, tail, 0, tail.Size)
	if err == nil {
		var brought piece
		brought, err = r.keepPiece(ctx, now.id, io.MultiReader(before, from))
		return brought, errors.Join(err, before.Close())
	}
	if errors.Is(err, store.ErrNotFound) {
		err = fmt.Errorf("%w: %v", store.ErrConflict, err) //nolint:errorlint // it is in another piece by now
	}
	return piece{}, err
}

// eof is a body of nothing.
type eof struct{}

func (eof) Read([]byte) (int, error) { return 0, io.EOF }

// Finish implements store.Uploads.
func (r *Registry) Finish(ctx context.Context, id store.UploadID, offset int64, body io.Reader, want digest.Digest) (int64, error) {
	err := want.Validate()
	var size int64
	if err == nil {
		size, err = r.finish(ctx, idText(id), offset, body, want)
	}
	if err != nil {
		return 0, fmt.Errorf("finishing an upload as %s: %w", want, err)
	}
	return size, nil
}

func (r *Registry) finish(ctx context.Context, id string, offset int64, body io.Reader, want digest.Digest) (int64, error) {
	now, err := r.openSession(ctx, id)
	if err == nil && now.Finishing == want {
		return now.Size, r.publish(ctx, now)
	}
	if err != nil {
		return 0, err
	}
	sum, err := now.sumAt(offset)
	if err != nil {
		return 0, err
	}
	if now.Size == 0 {
		sum = store.NewSum(want.Algorithm())
	}
	next, brought, err := r.bring(ctx, now, body, sum)
	if err == nil {
		err = r.proves(ctx, id, next, sum, want)
	}
	if err != nil {
		r.dropPieces(ctx, id, brought)
		return 0, err
	}
	if err := r.settle(ctx, now, next, want); err != nil {
		r.undo(ctx, id, brought, err)
		return 0, err
	}
	return next.Size, nil
}

// proves checks that the bytes are those of a digest. Where it is of another algorithm than they were hashed with on their
// way in, they are read again.
func (r *Registry) proves(ctx context.Context, id string, next session, sum *store.Sum, want digest.Digest) error {
	if want.Algorithm() != sum.Algorithm() {
		sum = store.NewSum(want.Algorithm())
		whole, err := r.pieces(entry{Upload: id, Pieces: next.Pieces, Size: next.Size}).Section(ctx, 0, next.Size)
		if err != nil {
			return err
		}
		_, err = io.Copy(sum, whole)
		if err = errors.Join(err, whole.Close()); err != nil {
			return err
		}
	}
	_, err := sum.Proof(want)
	return err
}

// settle makes an object of an upload that is whole. If it is there, what was brought goes.
func (r *Registry) settle(ctx context.Context, now standingSession, next session, want digest.Digest) error {
	err := r.renewIntact(ctx, want)
	if err == nil {
		return r.discard(ctx, now, next)
	}
	if !errors.Is(err, store.ErrNotFound) {
		return err
	}
	next.Finishing = want
	if err := r.swap(ctx, now, next); err != nil {
		return err
	}
	r.dropPieces(ctx, now.id, now.superseded(next))
	whole, err := r.openSession(ctx, now.id)
	if errors.Is(err, store.ErrNotFound) {
		return nil // another has made it an object already
	}
	if err != nil {
		return err
	}
	return r.publish(ctx, whole)
}

// discard ends an upload of which nothing is kept, whatever was to come after what there is of it.
func (r *Registry) discard(ctx context.Context, now standingSession, next session) error {
	err := r.end(ctx, now)
	if errors.Is(err, errChanged) {
		return fmt.Errorf("%w: %w", store.ErrConflict, err)
	}
	if err == nil {
		r.dropPieces(ctx, now.id, append(next.Pieces[:len(next.Pieces):len(next.Pieces)], now.superseded(next))...)
	}
	return err
}

// publish makes the object of an upload that is finishing, and ends the upload. It may be begun again by anybody, at any
// time, even while another does the same.
func (r *Registry) publish(ctx context.Context, now standingSession) error {
	ctx, cancel := context.WithTimeout(ctx, finishWithin)
	defer cancel()
	if err := r.place(ctx, entry{Digest: now.Finishing, Size: now.Size, Upload: now.id, Pieces: now.Pieces}); err != nil {
		return err
	}
	if err := r.end(ctx, now); !errors.Is(err, errChanged) {
		return err
	}
	return nil
}

// CancelUpload implements store.Uploads. One that is whole is not thrown away: whoever goes on with it needs it.
func (r *Registry) CancelUpload(ctx context.Context, id store.UploadID) error {
	now, err := r.openSession(ctx, idText(id))
	if err == nil && now.Finishing != "" {
		err = errFinishing
	}
	if err == nil {
		err = r.discard(ctx, now, now.session)
	}
	if err != nil {
		return fmt.Errorf("throwing an upload away: %w", err)
	}
	return nil
}
