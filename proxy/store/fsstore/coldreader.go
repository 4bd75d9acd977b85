package fsstore

import (
	"io"
	"iter"
	"os"
)

// coldPiece is how much is read at once, in whole pages.
const coldPiece = 256 << 10

// coldReader reads a file and leaves the page cache as it was: what is read from the disk is dropped again, what was in
// memory stays there, for those who ask for it. Where the system cannot say which is which it just reads.
type coldReader struct {
	file *os.File
	size int64
}

// newColdReader turns read-ahead off, which would put into memory what is read next.
func newColdReader(file *os.File, size int64) *coldReader {
	adviseRandom(file)
	return &coldReader{file: file, size: size}
}

// piece is a part of a file.
type piece struct {
	offset int64
	bytes  []byte
}

// pieces are the pieces of the file, to be read; each is good until the next.
func (r *coldReader) pieces() iter.Seq[piece] {
	return func(yield func(piece) bool) {
		buffer := make([]byte, min(coldPiece, r.size))
		for offset := int64(0); offset < r.size; offset += coldPiece {
			if !yield(piece{offset, buffer[:min(coldPiece, r.size-offset)]}) {
				return
			}
		}
	}
}

// read fills a piece.
func (r *coldReader) read(p piece) error {
	cold := coldParts(r.file, p.offset, int64(len(p.bytes)))
	_, err := io.ReadFull(io.NewSectionReader(r.file, p.offset, int64(len(p.bytes))), p.bytes)
	for _, part := range cold {
		if part.offset+part.length == r.size {
			part.length = 0 // to the end: else the last page, of which it is not all, stays
		}
		drop(r.file, part)
	}
	return err
}

// extent is a range of a file.
type extent struct{ offset, length int64 }
