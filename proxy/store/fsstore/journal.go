package fsstore

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/registryhub/registryhub/proxy/store"
)

// journal is a file beside that of a fill, partial/<algorithm>-<hex>.journal, which says what was written there and with
// which checksum. A fill is not synced before it is whole, so that after a crash its file may have holes where there
// were bytes, or a length beyond them; what the journal speaks of is believed only where the checksum is right, and the
// whole is hashed before it is kept in any case. A journal that cannot be written costs no more than what it would have
// saved.
type journal struct {
	path string
	file *os.File // nil until something is written
	size int64    // of the file, with the places of all records
	runs []journalRun
	last int              // the run that was begun last
	text [recordSize]byte // of the record that is written
}

// journalRun is a run of bytes that may still grow, and with it the record at its place in the file.
type journalRun struct {
	store.Extent
	sum   uint32
	place int64
}

const (
	journalSuffix = ".journal"
	// journalEvery is what a record speaks of at most: what a loss of power can cost each writer of a fill. One that is
	// killed loses nothing that it has written.
	journalEvery = 256 << 10
	// journalRuns is how many runs may grow at a time. More writers than that cost a record for each write.
	journalRuns = 32
	// A record is the start of a run and its length in 8 bytes each, then the run's checksum and that of the record
	// before it, in 4 bytes each.
	recordSize = 24
	// maxJournal is enough for an object of several TiB.
	maxJournal = 512 << 20
)

var checksums = crc32.MakeTable(crc32.Castagnoli)

func newJournal(path string) *journal { return &journal{path: path + journalSuffix} }

// add notes bytes that were written.
func (j *journal) add(offset int64, b []byte) {
	if len(b) == 0 {
		return
	}
	run := j.runTo(offset)
	run.sum = crc32.Update(run.sum, checksums, b)
	run.End += int64(len(b))
	j.record(*run)
}

// runTo is the run that goes on at an offset.
func (j *journal) runTo(offset int64) *journalRun {
	for i := range j.runs {
		if j.runs[i].End == offset && offset-j.runs[i].Start < journalEvery {
			return &j.runs[i]
		}
	}
	return j.begin(offset)
}

// begin begins a run, in the place of the one that was begun longest ago when there are many: its record stands.
func (j *journal) begin(offset int64) *journalRun {
	j.last = (j.last + 1) % journalRuns
	if len(j.runs) < journalRuns {
		j.runs = append(j.runs, journalRun{})
		j.last = len(j.runs) - 1
	}
	j.runs[j.last] = journalRun{Extent: store.Extent{Start: offset, End: offset}, place: j.size}
	j.size += recordSize
	return &j.runs[j.last]
}

// record writes a run's record, over that of when the run was shorter. What is lost by an error is fetched again.
func (j *journal) record(run journalRun) {
	if j.file == nil && j.open() != nil {
		return
	}
	record := j.text[:0]
	record = binary.BigEndian.AppendUint64(record, uint64(run.Start))         //nolint:gosec // an offset is never negative
	record = binary.BigEndian.AppendUint64(record, uint64(run.End-run.Start)) //nolint:gosec // nor is a length
	record = binary.BigEndian.AppendUint32(record, run.sum)
	record = binary.BigEndian.AppendUint32(record, crc32.Checksum(record, checksums))
	_, _ = j.file.WriteAt(record, run.place)
}

func (j *journal) open() (err error) {
	j.file, err = os.OpenFile(j.path, os.O_RDWR|os.O_CREATE, fileMode)
	return err
}

// adopt returns what the journal of an earlier process speaks of and a file still has. Later records go behind its own.
func (j *journal) adopt(file *os.File) (store.Extents, error) {
	data, err := readJournal(j.path)
	if err != nil {
		return nil, err
	}
	var left store.Extents
	buffer := make([]byte, min(journalEvery, len(data)*journalEvery))
	for ; len(data) >= recordSize; data = data[recordSize:] {
		j.size += recordSize
		if run, ok := parseRecord(data[:recordSize]); ok && run.isIn(file, buffer) {
			left = left.Add(run.Extent)
		}
	}
	return left, nil
}

func readJournal(path string) ([]byte, error) {
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(file, maxJournal))
	return data, errors.Join(err, file.Close())
}

// parseRecord reads a record; one that was torn is none.
func parseRecord(data []byte) (journalRun, bool) {
	start, length := binary.BigEndian.Uint64(data), binary.BigEndian.Uint64(data[8:])
	const most = 1 << 62
	if crc32.Checksum(data[:20], checksums) != binary.BigEndian.Uint32(data[20:]) || start > most || length > most {
		return journalRun{}, false
	}
	run := store.Extent{Start: signed(start), End: signed(start + length)}
	return journalRun{Extent: run, sum: binary.BigEndian.Uint32(data[16:])}, true
}

// isIn reports whether a file holds the run's bytes.
func (r journalRun) isIn(file *os.File, buffer []byte) bool {
	sum := crc32.New(checksums)
	n, err := io.CopyBuffer(sum, io.NewSectionReader(file, r.Start, r.End-r.Start), buffer)
	return err == nil && n == r.End-r.Start && sum.Sum32() == r.sum
}

// clear forgets everything.
func (j *journal) clear() error {
	j.size, j.runs, j.last = 0, nil, 0
	err := os.Truncate(j.path, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func (j *journal) remove() error {
	err := os.Remove(j.path)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return errors.Join(err, j.close())
}

func (j *journal) close() error {
	if j.file == nil {
		return nil
	}
	err := j.file.Close()
	j.file = nil
	return err
}

// isOrphan reports whether a file in partial/ is the journal of a fill that is not there.
func isOrphan(path string) bool {
	fill, is := strings.CutSuffix(path, journalSuffix)
	if !is {
		return false
	}
	_, err := os.Stat(fill)
	return errors.Is(err, fs.ErrNotExist)
}
