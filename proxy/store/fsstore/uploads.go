package fsstore

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/registryhub/registryhub/proxy/store"
)

// An upload is a directory, uploads/<id>, in which nothing is ever written over: what one writer brings is a file of its own,
// and counts when the record of that number names it. Records are made by link(2), which fails where there is one, on
// every file system that several machines share: of two writers one wins, without a lock that could be lost.
//
//	uploads/<id>/record-<n>    what was acknowledged n-th, whole from its first moment
//	uploads/<id>/chunk-<chance>
//	uploads/gone-<id>          on its way out

var _ store.Uploads = (*Store)(nil)

const (
	uploadsFolder = "uploads"
	goneUpload    = "gone-"
	chunkPattern  = "chunk-*"
)

func (s *Store) uploadPath(id store.UploadID) string {
	return filepath.Join(s.root, uploadsFolder, hex.EncodeToString(id[:]))
}

// BeginUpload implements store.Uploads. Nothing is lost that is not synced: a client whose upload is not there begins anew.
func (s *Store) BeginUpload(_ context.Context, repository store.Repository) (store.Upload, error) {
	upload := store.Upload{Repository: repository}
	_, _ = rand.Read(upload.ID[:]) // never fails
	err := ensureDir(filepath.Join(s.root, uploadsFolder))
	if err == nil {
		err = typed(os.Mkdir(s.uploadPath(upload.ID), dirMode))
	}
	if err == nil {
		err = writeRecord(s.uploadPath(upload.ID), record{Repository: repository})
	}
	if err != nil {
		return store.Upload{}, fmt.Errorf("beginning an upload: %w", err)
	}
	return upload, nil
}

// Upload implements store.Uploads.
func (s *Store) Upload(_ context.Context, id store.UploadID) (store.Upload, error) {
	last, err := readLast(s.uploadPath(id))
	if err != nil {
		return store.Upload{}, fmt.Errorf("looking up an upload: %w", err)
	}
	return last.upload(id), nil
}

// Append implements store.Uploads.
func (s *Store) Append(_ context.Context, id store.UploadID, offset int64, body io.Reader) (store.Upload, error) {
	next, err := s.append(s.uploadPath(id), offset, body)
	if err != nil {
		return store.Upload{}, fmt.Errorf("adding to an upload at byte %d: %w", offset, err)
	}
	return next.upload(id), nil
}

func (s *Store) append(dir string, offset int64, body io.Reader) (record, error) {
	last, sum, err := readAt(dir, offset)
	if err != nil {
		return record{}, err
	}
	chunk, err := s.takeChunk(dir, body, sum)
	if err != nil {
		return record{}, err
	}
	next, err := last.with(chunk, sum)
	if err == nil {
		err = writeRecord(dir, next)
	}
	if err == nil {
		err = syncDir(dir)
	}
	if err != nil {
		return record{}, errors.Join(err, next.abandon(dir))
	}
	return next, nil
}

// Finish implements store.Uploads.
func (s *Store) Finish(_ context.Context, id store.UploadID, offset int64, body io.Reader, want digest.Digest) (int64, error) {
	err := want.Validate()
	var size int64
	if err == nil {
		size, err = s.finish(s.uploadPath(id), offset, body, want)
	}
	if err != nil {
		return 0, fmt.Errorf("finishing an upload as %s: %w", want, err)
	}
	return size, nil
}

func (s *Store) finish(dir string, offset int64, body io.Reader, want digest.Digest) (int64, error) {
	last, sum, err := readAt(dir, offset)
	switch {
	case errors.Is(err, errFinishing) && last.Finishing == want:
		return last.Size, s.assemble(dir, want)
	case err != nil:
		return 0, err
	case last.number == 0 && want.Algorithm() != sum.Algorithm():
		sum = store.NewSum(want.Algorithm())
	}
	chunk, err := s.takeChunk(dir, body, sum)
	if err != nil {
		return 0, err
	}
	next, err := last.with(chunk, sum)
	if err == nil {
		err = proves(dir, next, sum, want)
	}
	if err == nil {
		next.Finishing = want
		err = writeRecord(dir, next)
	}
	if err != nil {
		return 0, errors.Join(err, next.abandon(dir))
	}
	return next.Size, s.assemble(dir, want)
}

// proves checks that the bytes are those of a digest. Where it is of another algorithm than the bytes were hashed with on
// their way in, they are read again.
func proves(dir string, next record, sum *store.Sum, want digest.Digest) error {
	if want.Algorithm() != sum.Algorithm() {
		chunks, err := readChunks(dir, next.number-1)
		if err != nil {
			return err
		}
		sum = store.NewSum(want.Algorithm())
		for _, c := range append(chunks, next.Chunk) {
			if err := c.copyTo(sum, dir); err != nil {
				return err
			}
		}
	}
	_, err := sum.Proof(want)
	return err
}

// takeChunk keeps what a body has in a file of its own, durably. An empty body makes none.
func (s *Store) takeChunk(dir string, body io.Reader, sum *store.Sum) (chunk, error) {
	if body == nil {
		return chunk{}, nil
	}
	file, err := os.CreateTemp(dir, chunkPattern)
	if err != nil {
		return chunk{}, typed(err)
	}
	taken := chunk{Name: filepath.Base(file.Name())}
	buffer := copyBuffers.Get().(*[]byte)
	taken.Size, err = io.CopyBuffer(io.MultiWriter(file, sum), struct{ io.Reader }{body}, *buffer)
	copyBuffers.Put(buffer)
	if err == nil && taken.Size > 0 {
		err = errors.Join(file.Chmod(fileMode), file.Sync())
	}
	err = errors.Join(err, file.Close())
	if err == nil && taken.Size > 0 {
		return taken, nil
	}
	return chunk{}, typed(errors.Join(err, taken.remove(dir)))
}

// CancelUpload implements store.Uploads.
func (s *Store) CancelUpload(_ context.Context, id store.UploadID) error {
	if err := s.dropUpload(s.uploadPath(id)); err != nil {
		return fmt.Errorf("throwing an upload away: %w", err)
	}
	return nil
}

// dropUpload renames a directory first, so that nobody can add to it while it is removed.
func (s *Store) dropUpload(dir string) error {
	gone := dir
	if !strings.HasPrefix(filepath.Base(dir), goneUpload) {
		gone = filepath.Join(filepath.Dir(dir), goneUpload+filepath.Base(dir))
		if err := os.Rename(dir, gone); err != nil {
			return typed(err)
		}
	}
	return typed(os.RemoveAll(gone))
}

// ReapUploads implements store.Uploads.
func (s *Store) ReapUploads(ctx context.Context, unusedSince time.Time) (int, error) {
	entries, err := os.ReadDir(filepath.Join(s.root, uploadsFolder))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	var errs []error
	reaped := 0
	for _, entry := range entries {
		dir := filepath.Join(s.root, uploadsFolder, entry.Name())
		used, statErr := lastUsed(dir)
		if ctx.Err() != nil || statErr != nil || used.After(unusedSince) {
			continue // or gone meanwhile
		}
		dropErr := s.dropUpload(dir)
		if dropErr == nil {
			reaped++
		} else if !errors.Is(dropErr, store.ErrNotFound) {
			errs = append(errs, dropErr)
		}
	}
	if err = errors.Join(append(errs, typed(err), ctx.Err())...); err != nil {
		return reaped, fmt.Errorf("throwing abandoned uploads away: %w", err)
	}
	return reaped, nil
}

// lastUsed is when anything in a directory was written last: a chunk may take long.
func lastUsed(dir string) (time.Time, error) {
	info, err := os.Stat(dir)
	if err != nil {
		return time.Time{}, err
	}
	last := info.ModTime()
	entries, err := os.ReadDir(dir)
	if err != nil {
		return time.Time{}, err
	}
	for _, entry := range entries {
		if info, err := entry.Info(); err == nil && info.ModTime().After(last) {
			last = info.ModTime()
		}
	}
	return last, nil
}
