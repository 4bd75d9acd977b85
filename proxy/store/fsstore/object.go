package fsstore

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/opencontainers/go-digest"

	"github.com/registryhub/registryhub/proxy/store"
)

// The trailer is this, then the size of the object in 8 bytes, most significant first.
const trailerMagic = "rhubobj1"

const trailerSize = int64(len(trailerMagic) + 8)

func trailer(size int64) []byte {
	return binary.BigEndian.AppendUint64([]byte(trailerMagic), uint64(size)) //nolint:gosec // a size is never negative
}

// Open implements store.Content.
func (s *Store) Open(ctx context.Context, d digest.Digest) (store.Object, error) {
	if err := d.Validate(); err != nil {
		return nil, fmt.Errorf("opening an object: %w", err)
	}
	return s.openWhole(ctx, d, true)
}

// openWhole opens an object that cannot be read once more, unless it may not try again, as scrub does.
func (s *Store) openWhole(ctx context.Context, d digest.Digest, again bool) (store.Object, error) {
	r, err := s.open(d, s.blobPath(d))
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", d, typed(err))
	}
	info, size, err := whole(r.file)
	if again && err != nil && !errors.Is(err, errTrailer) {
		defer r.Close()
		return s.openWhole(ctx, d, false)
	}
	if err != nil {
		return nil, errors.Join(s.quarantine(ctx, d, r.file, err), r.Close())
	}
	touch(r.file, info.ModTime())
	return &object{reader: *r, store: s, size: size}, nil
}

// open opens a file of an object, which is pinned until the reader is closed.
func (s *Store) open(d digest.Digest, path string) (*reader, error) {
	s.pins.Add(d)
	file, err := os.Open(path)
	if err != nil {
		s.pins.Release(d)
		return nil, err
	}
	return &reader{file: file, digest: d, pins: &s.pins}, nil
}

var errTrailer = errors.New("its length is not the one that it was written with")

// whole returns the size of the object in a file, or an error when bytes are missing or too many.
func whole(file *os.File) (fs.FileInfo, int64, error) {
	info, err := file.Stat()
	if err != nil {
		return nil, 0, err
	}
	size := info.Size() - trailerSize
	if size < 0 {
		return nil, 0, errTrailer
	}
	var got [trailerSize]byte
	if _, err := file.ReadAt(got[:], size); err != nil {
		return nil, 0, err
	}
	if !bytes.Equal(got[:], trailer(size)) {
		return nil, 0, errTrailer
	}
	return info, size, nil
}

// Put implements store.Content.
func (s *Store) Put(_ context.Context, proof store.Proof, data []byte) error {
	d := proof.Digest()
	if d == "" || proof.Size() != int64(len(data)) {
		return fmt.Errorf("keeping %d bytes: the proof is for %d bytes of %q", len(data), proof.Size(), d)
	}
	path := s.blobPath(d)
	err := ensureDir(filepath.Dir(path))
	if err == nil {
		err = s.writeFile(path, data, trailer(proof.Size()))
	}
	if err == nil {
		err = syncDir(filepath.Dir(path))
	}
	if err != nil {
		return fmt.Errorf("keeping %s: %w", d, err)
	}
	return nil
}

type object struct {
	reader
	store *Store
	size  int64
}

func (o *object) Size() int64 { return o.size }

// reader is a store.Reader with a file description, and so an offset, of its own.
type reader struct {
	file   *os.File
	digest digest.Digest
	pins   *store.Pins
}

func (r *reader) Close() error {
	err := r.file.Close()
	if !errors.Is(err, fs.ErrClosed) {
		r.pins.Release(r.digest)
	}
	return err
}

// Section implements store.Reader. The kernel sends its bytes when it is copied to a connection.
func (r *reader) Section(_ context.Context, offset, length int64) (io.ReadCloser, error) {
	if _, err := r.file.Seek(offset, io.SeekStart); err != nil {
		return nil, fmt.Errorf("reading from byte %d: %w", offset, err)
	}
	return &section{LimitedReader: io.LimitedReader{R: r.file, N: length}}, nil
}

// section shows a destination the limited *os.File that net/http and net give to sendfile(2).
type section struct {
	io.LimitedReader
}

// WriteTo implements io.WriterTo.
func (s *section) WriteTo(w io.Writer) (int64, error) {
	if to, ok := w.(io.ReaderFrom); ok {
		return to.ReadFrom(&s.LimitedReader)
	}
	return io.Copy(w, &s.LimitedReader)
}

// Close implements io.Closer; the file belongs to the reader.
func (s *section) Close() error { return nil }
