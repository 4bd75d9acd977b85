package s3store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/minio/minio-go/v7"
	"github.com/opencontainers/go-digest"

	"github.com/registryhub/registryhub/proxy/store"
)

// headSize is how much of an object comes with the answer of whether it is there: all of a manifest.
const headSize = 64 << 10

// sizeKey is the metadata with an object's size.
const sizeKey = "Registryhub-Size"

func withSize(size int64) minio.PutObjectOptions {
	return minio.PutObjectOptions{
		UserMetadata: map[string]string{sizeKey: strconv.FormatInt(size, 10)}, ContentType: "application/octet-stream",
		// A signed body has an end of its own, which versitygw 1.8.0 takes for the next request when there is nothing before it.
		DisableContentSha256: size == 0,
	}
}

// Open implements store.Content.
func (s *Store) Open(ctx context.Context, d digest.Digest) (store.Object, error) {
	if err := d.Validate(); err != nil {
		return nil, fmt.Errorf("opening an object: %w", err)
	}
	s.pins.Add(d)
	o, err := s.open(ctx, d)
	if err != nil {
		s.pins.Release(d)
		return nil, fmt.Errorf("opening %s: %w", d, err)
	}
	return o, nil
}

func (s *Store) open(ctx context.Context, d digest.Digest) (*object, error) {
	o := &object{store: s, digest: d}
	info, err := o.begin(ctx)
	if err != nil {
		return nil, err
	}
	if info.UserMetadata[sizeKey] != strconv.FormatInt(o.size, 10) {
		return nil, s.condemn(ctx, d, info.UserMetadata[sizeKey], o.size)
	}
	o.marked = s.marks.mark(ctx, s, d, serverNow(info.Headers).Sub(info.LastModified))
	return o, nil
}

// condemn removes an object that is not as long as it was written, unless it was put right meanwhile.
func (s *Store) condemn(ctx context.Context, d digest.Digest, want string, size int64) error {
	cause := fmt.Errorf("it has %d bytes and was written with %q", size, want)
	if err := s.bucket.remove(ctx, s.keys.blob(d)); err != nil {
		return fmt.Errorf("removing it, which is damaged (%w): %w", cause, err)
	}
	return fmt.Errorf("it was damaged and is removed: %w: %w: %w", store.ErrDamaged, cause, store.ErrNotFound)
}

// object is a store.Object whose beginning is in memory.
type object struct {
	store  *Store
	digest digest.Digest
	head   []byte
	size   int64
	marked <-chan struct{} // closed when its use is noted
	closed bool
}

// begin reads the beginning, and with it what there is to know of the object.
func (o *object) begin(ctx context.Context) (minio.ObjectInfo, error) {
	key := o.store.keys.blob(o.digest)
	first, err := o.store.bucket.open(ctx, key, 0, headSize)
	if isEmptyRange(err) {
		return o.store.bucket.stat(ctx, key) // its size is 0
	}
	if err != nil {
		return minio.ObjectInfo{}, err
	}
	defer first.Close()
	o.size, o.head = first.size, make([]byte, first.length)
	if _, err := io.ReadFull(first, o.head); err != nil {
		return first.info, typed(err)
	}
	return first.info, nil
}

// Size implements store.Object.
func (o *object) Size() int64 { return o.size }

// Section implements store.Reader.
func (o *object) Section(ctx context.Context, offset, length int64) (io.ReadCloser, error) {
	if offset < 0 || length < 0 {
		return nil, fmt.Errorf("reading %d bytes from byte %d of an object: neither can be negative", length, offset)
	}
	offset = min(offset, o.size)
	length = min(length, o.size-offset)
	inMemory := max(0, min(int64(len(o.head)), offset+length)-offset)
	if inMemory == length {
		return io.NopCloser(bytes.NewReader(o.head[min(offset, int64(len(o.head))):][:length])), nil
	}
	rest, err := o.rest(ctx, offset+inMemory, length-inMemory)
	if err != nil || inMemory == 0 {
		return rest, err
	}
	return headed{io.MultiReader(bytes.NewReader(o.head[offset:offset+inMemory]), rest), rest}, nil
}

func (o *object) rest(ctx context.Context, offset, length int64) (io.ReadCloser, error) {
	s, err := o.store.bucket.open(ctx, o.store.keys.blob(o.digest), offset, length)
	if err == nil && s.size != o.size {
		err = errors.Join(fmt.Errorf("%w: it has %d bytes and had %d", store.ErrFailing, s.size, o.size), s.Close())
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s from byte %d: %w", o.digest, offset, err)
	}
	return &exactly{ReadCloser: s, left: length}, nil
}

// headed is a section that begins in memory.
type headed struct {
	io.Reader
	io.Closer
}

// Close implements io.Closer. It waits until the use is noted.
func (o *object) Close() error {
	if !o.closed {
		o.closed = true
		<-o.marked
		o.store.pins.Release(o.digest)
	}
	return nil
}

// Put implements store.Content.
func (s *Store) Put(ctx context.Context, proof store.Proof, data []byte) error {
	d := proof.Digest()
	if d == "" || proof.Size() != int64(len(data)) {
		return fmt.Errorf("keeping %d bytes: the proof is for %d bytes of %q", len(data), proof.Size(), d)
	}
	if err := s.bucket.write(ctx, s.keys.blob(d), data, withSize(proof.Size())); err != nil {
		return fmt.Errorf("keeping %s: %w", d, err)
	}
	s.usage.grow(proof.Size())
	return nil
}
