package fsstore

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"github.com/opencontainers/go-digest"

	"github.com/registryhub/registryhub/proxy/store"
)

const recordPrefix = "record-"

// copyBuffers are what bodies are read into.
var copyBuffers = sync.Pool{New: func() any {
	buffer := make([]byte, 256<<10)
	return &buffer
}}

// record says how far an upload is. Each has all that the next writer needs, but of the chunks its own alone.
type record struct {
	Repository store.Repository `json:"repository"`
	// Size of everything so far, and the state of its hash; none while there is nothing.
	Size int64  `json:"size"`
	Sum  []byte `json:"sum,omitempty"`
	// Chunk that came with this record; none in the first.
	Chunk chunk `json:"chunk"`
	// Finishing is the digest of the whole, after which nothing is added.
	Finishing digest.Digest `json:"finishing,omitempty"`

	number int // its own
}

// chunk is a file in an upload's directory.
type chunk struct {
	Name string `json:"name,omitempty"` // none when Size is 0
	Size int64  `json:"size,omitempty"`
}

// errFinishing is the conflict with whoever has the whole of it already.
var errFinishing = fmt.Errorf("it is whole: %w", store.ErrConflict)

func (r record) upload(id store.UploadID) store.Upload {
	return store.Upload{ID: id, Repository: r.Repository, Size: r.Size}
}

// with is the record after this one.
func (r record) with(c chunk, sum *store.Sum) (record, error) {
	next := record{Repository: r.Repository, Size: r.Size + c.Size, Chunk: c, number: r.number + 1}
	var err error
	next.Sum, err = sum.State()
	return next, err
}

func (c chunk) remove(dir string) error {
	if c.Name == "" {
		return nil
	}
	return os.Remove(filepath.Join(dir, c.Name))
}

// abandon removes the chunk of a record that could not be made. Where the record is there all the same, which a file system
// can deny (link(2) on NFS) or fail to make durable, the chunk counts; where nobody can tell it stays, and goes with the upload.
func (r record) abandon(dir string) error {
	made, err := readRecord(dir, r.number)
	if errors.Is(err, store.ErrNotFound) || err == nil && made.Chunk != r.Chunk {
		return r.Chunk.remove(dir)
	}
	return err
}

func (c chunk) copyTo(w io.Writer, dir string) error {
	if c.Name == "" {
		return nil
	}
	file, err := os.Open(filepath.Join(dir, c.Name))
	if err != nil {
		return typed(err)
	}
	n, err := io.Copy(w, io.LimitReader(file, c.Size))
	if err == nil && n < c.Size {
		err = io.ErrUnexpectedEOF
	}
	return errors.Join(err, file.Close())
}

// readAt returns the last record, and the hash of what it speaks of, if that ends at an offset.
func readAt(dir string, offset int64) (record, *store.Sum, error) {
	last, err := readLast(dir)
	switch {
	case err != nil:
		return record{}, nil, err
	case last.Finishing != "":
		return last, nil, errFinishing
	case last.Size != offset:
		return record{}, nil, fmt.Errorf("it has %d bytes: %w", last.Size, store.ErrConflict)
	case last.number == 0:
		return last, store.NewSum(digest.Canonical), nil
	}
	sum, err := store.ResumeSum(digest.Canonical, last.Sum, last.Size)
	return last, sum, err
}

func readLast(dir string) (record, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return record{}, typed(err)
	}
	last := -1
	for _, entry := range entries {
		text, is := strings.CutPrefix(entry.Name(), recordPrefix)
		if number, err := strconv.Atoi(text); is && err == nil {
			last = max(last, number)
		}
	}
	if last < 0 {
		return record{}, store.ErrNotFound // it is being made, or was never made to its end
	}
	return readRecord(dir, last)
}

func recordPath(dir string, number int) string {
	return filepath.Join(dir, recordPrefix+strconv.Itoa(number))
}

func readRecord(dir string, number int) (record, error) {
	r, err := readJSON[record](recordPath(dir, number))
	r.number = number
	return r, err
}

// readChunks returns the chunks up to a record.
func readChunks(dir string, last int) ([]chunk, error) {
	var chunks []chunk
	for number := 1; number <= last; number++ {
		r, err := readRecord(dir, number)
		if err != nil {
			return nil, err
		}
		if r.Chunk.Size > 0 {
			chunks = append(chunks, r.Chunk)
		}
	}
	return chunks, nil
}

// writeRecord makes a record, unless there is one of its number: store.ErrConflict. What its directory is synced for it is
// the caller's to do.
func writeRecord(dir string, r record) error {
	data, err := json.Marshal(r)
	if err != nil {
		return err
	}
	file, err := os.CreateTemp(dir, "new-*")
	if err != nil {
		return typed(err)
	}
	err = writeAndSync(file, [][]byte{data})
	if err == nil {
		err = os.Link(file.Name(), recordPath(dir, r.number))
	}
	if errors.Is(err, fs.ErrExist) {
		err = store.ErrConflict
	}
	return typed(errors.Join(err, os.Remove(file.Name())))
}
