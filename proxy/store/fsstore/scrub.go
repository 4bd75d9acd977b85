package fsstore

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/opencontainers/go-digest"

	"github.com/registryhub/registryhub/proxy/store"
)

// errUnreadable is the damage of an object that the disk does not give back.
var errUnreadable = errors.New("it cannot be read")

// Part implements store.Scrubbable.
func (s *Store) Part(ctx context.Context, first byte, yield func(digest.Digest) error) error {
	algorithms, err := os.ReadDir(filepath.Join(s.root, "blobs"))
	if err != nil {
		return fmt.Errorf("listing the store in %s: %w", s.root, err)
	}
	for _, algorithm := range algorithms {
		dir := filepath.Join(s.root, "blobs", algorithm.Name(), hex.EncodeToString([]byte{first}))
		if err := names(ctx, dir, algorithm.Name(), yield); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// names yields the digests in a directory without looking at the files.
func names(ctx context.Context, dir, algorithm string, yield func(digest.Digest) error) error {
	files, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("listing the store: %w", err)
	}
	for _, file := range files {
		d := digest.Digest(algorithm + ":" + file.Name())
		if d.Validate() != nil {
			continue // somebody else's
		}
		if err := errors.Join(ctx.Err(), yield(d)); err != nil {
			return err
		}
	}
	return nil
}

// Scrub implements store.Scrubbable. It pins nothing: what is evicted meanwhile is read to its end all the same.
func (s *Store) Scrub(ctx context.Context, d digest.Digest, pace func(context.Context, int64) error) (int64, error) {
	if err := d.Validate(); err != nil {
		return 0, fmt.Errorf("scrubbing an object: %w", err)
	}
	return s.scrub(ctx, d, pace, true)
}

// scrub reads an object that cannot be read once more, unless it may not try again: a network file system refuses for a
// moment what a bad disk refuses for good.
func (s *Store) scrub(ctx context.Context, d digest.Digest, pace func(context.Context, int64) error, again bool) (int64, error) {
	file, err := os.Open(s.blobPath(d))
	if err != nil {
		return 0, fmt.Errorf("scrubbing %s: %w", d, typed(err))
	}
	defer file.Close()
	size, damage, err := reread(ctx, file, d, pace)
	switch {
	case again && errors.Is(damage, errUnreadable):
		return s.scrub(ctx, d, pace, false)
	case damage != nil:
		return 0, s.quarantine(ctx, d, file, damage)
	case err != nil:
		return 0, fmt.Errorf("scrubbing %s: %w", d, typed(err))
	default:
		return size, nil
	}
}

// reread hashes the object in a file and returns its size: damage is what is wrong with it, err why it was not read to its
// end.
func reread(ctx context.Context, file *os.File, d digest.Digest, pace func(context.Context, int64) error) (size int64, damage, err error) {
	info, err := file.Stat()
	if err != nil {
		return 0, nil, err
	}
	size = info.Size() - trailerSize
	if size < 0 {
		return 0, errTrailer, nil
	}
	verifier, end := store.NewVerifier(d, size), []byte(nil)
	from := newColdReader(file, info.Size())
	for piece := range from.pieces() {
		if err := pace(ctx, int64(len(piece.bytes))); err != nil {
			return 0, nil, err
		}
		if err := from.read(piece); err != nil {
			return 0, fmt.Errorf("%w: %w", errUnreadable, err), nil
		}
		object := piece.bytes[:max(0, min(int64(len(piece.bytes)), size-piece.offset))]
		_, _ = verifier.Write(object) // never fails
		end = append(end, piece.bytes[len(object):]...)
	}
	if !bytes.Equal(end, trailer(size)) {
		return 0, errTrailer, nil
	}
	_, damage = verifier.Proof()
	return size, damage, nil
}
