package s3store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/minio/minio-go/v7"
	"golang.org/x/sync/errgroup"

	"github.com/registryhub/registryhub/proxy/store"
)

const (
	// partSize is how much is uploaded by one request. An object of no more is not uploaded in parts.
	partSize = 16 << 20
	// maxParts is what S3 allows; the parts of a larger object are larger.
	maxParts = 10000
	// uploadsAtOnce bounds the parts that a process uploads at a time, and partsAtOnce those of one object.
	uploadsAtOnce = 8
	partsAtOnce   = 4
)

// source is where an object that is uploaded is read from.
type source interface {
	Reader(ctx context.Context) (store.Reader, error)
}

// upload puts what a source has under a key, where it appears whole or not at all.
func (s *Store) upload(ctx context.Context, key string, from source, size int64) error {
	if size > partSize {
		return s.uploadParts(ctx, key, from, size)
	}
	return s.uploadPiece(ctx, from, 0, size, func(ctx context.Context, body io.Reader) error {
		_, err := s.bucket.core.PutObject(ctx, s.bucket.name, key, body, size, "", "", withSize(size))
		return err
	})
}

// uploadPiece makes one request with bytes of the source, and once again when that fails.
func (s *Store) uploadPiece(caller context.Context, from source, offset, length int64, request func(context.Context, io.Reader) error) error {
	select {
	case s.uploads <- struct{}{}:
		defer func() { <-s.uploads }()
	case <-caller.Done():
		return caller.Err()
	}
	var err error
	for range tries {
		if err = s.bucket.gate.check(); err != nil {
			return err
		}
		if err = s.tryPiece(caller, from, offset, length, request); err == nil || caller.Err() != nil {
			return err
		}
	}
	return err
}

func (s *Store) tryPiece(caller context.Context, from source, offset, length int64, request func(context.Context, io.Reader) error) error {
	atMost := s.bucket.timeouts.Part * time.Duration(1+length/partSize)
	ctx, cancel := context.WithTimeout(caller, atMost)
	defer cancel()
	reader, err := from.Reader(ctx)
	if err != nil {
		return err
	}
	defer reader.Close()
	section, err := reader.Section(ctx, offset, length)
	if err != nil {
		return err
	}
	return errors.Join(s.bucket.given(caller, request(ctx, struct{ io.Reader }{section})), section.Close())
}

// uploadParts uploads a large object in parts, several at a time, each read from the source on its way.
func (s *Store) uploadParts(ctx context.Context, key string, from source, size int64) error {
	id, err := s.beginParts(ctx, key, withSize(size))
	if err != nil {
		return err
	}
	parts, err := s.sendParts(ctx, key, id, from, size)
	if err == nil {
		err = s.complete(ctx, key, id, parts, withSize(size))
	}
	if err != nil {
		return errors.Join(err, s.abort(context.WithoutCancel(ctx), key, id))
	}
	return nil
}

func (s *Store) beginParts(ctx context.Context, key string, options minio.PutObjectOptions) (id string, err error) {
	err = s.bucket.within(ctx, func(ctx context.Context) (err error) {
		id, err = s.bucket.core.NewMultipartUpload(ctx, s.bucket.name, key, options)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("beginning an upload in parts: %w", err)
	}
	return id, nil
}

func (s *Store) sendParts(ctx context.Context, key, id string, from source, size int64) ([]minio.CompletePart, error) {
	each := max(partSize, (size+maxParts-1)/maxParts)
	parts := make([]minio.CompletePart, (size+each-1)/each)
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(partsAtOnce)
	for i := range parts {
		offset := int64(i) * each
		length := min(each, size-offset)
		group.Go(func() error {
			return s.uploadPiece(ctx, from, offset, length, func(ctx context.Context, body io.Reader) (err error) {
				parts[i], err = s.sendPart(ctx, key, id, i+1, body, length)
				return err
			})
		})
	}
	return parts, group.Wait()
}

func (s *Store) sendPart(ctx context.Context, key, id string, number int, body io.Reader, length int64) (minio.CompletePart, error) {
	part, err := s.bucket.core.PutObjectPart(ctx, s.bucket.name, key, id, number, body, length, minio.PutObjectPartOptions{})
	return minio.CompletePart{PartNumber: number, ETag: part.ETag}, err
}

// complete makes the parts an object. It takes as long as an upload does: some servers copy then.
func (s *Store) complete(caller context.Context, key, id string, parts []minio.CompletePart, options minio.PutObjectOptions) error {
	ctx, cancel := context.WithTimeout(caller, s.bucket.timeouts.Part)
	defer cancel()
	_, err := s.bucket.core.CompleteMultipartUpload(ctx, s.bucket.name, key, id, parts, options)
	if err = s.bucket.given(caller, err); err != nil {
		return fmt.Errorf("ending an upload in parts: %w", err)
	}
	return nil
}

// abort gives back what parts take; of what is left all the same the evictor finds and aborts it.
func (s *Store) abort(ctx context.Context, key, id string) error {
	err := s.bucket.within(ctx, func(ctx context.Context) error {
		return s.bucket.core.AbortMultipartUpload(ctx, s.bucket.name, key, id)
	})
	if err != nil {
		return fmt.Errorf("aborting an upload in parts: %w", err)
	}
	return nil
}
