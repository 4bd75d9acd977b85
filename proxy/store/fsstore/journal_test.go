package fsstore_test

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"

	"github.com/registryhub/registryhub/proxy/store"
)

const chunk = 256 << 10

// TestWhatACrashLeftIsBelievedWhereItsChecksumIsRight damages a fill of four chunks and a half, as a crash can.
func TestWhatACrashLeftIsBelievedWhereItsChecksumIsRight(t *testing.T) {
	const size = 4*chunk + chunk/2
	whole := store.Extents{{Start: 0, End: size}}
	tests := map[string]struct {
		crash func(fill, journal string) error
		want  store.Extents
	}{
		"nothing happened": {func(string, string) error { return nil }, whole},
		"the trailer of a commit was written": {func(fill, _ string) error {
			return overwrite(fill, size, []byte("rhubobj1\x00\x00\x00\x00\x00\x12\x00\x00"))
		}, whole},
		"the file lost its end": {func(fill, _ string) error { return os.Truncate(fill, 3*chunk+1) }, store.Extents{{Start: 0, End: 3 * chunk}}},
		"the file has zeros where there were bytes": {func(fill, _ string) error {
			return overwrite(fill, chunk, make([]byte, 4096))
		}, store.Extents{{Start: 0, End: chunk}, {Start: 2 * chunk, End: size}}},
		"the journal lost its end":        {func(_, journal string) error { return os.Truncate(journal, 2*24+5) }, store.Extents{{Start: 0, End: 2 * chunk}}},
		"the journal is gone":             {func(_, journal string) error { return os.Remove(journal) }, nil},
		"a record of the journal is torn": {func(_, journal string) error { return overwrite(journal, 24, make([]byte, 12)) }, store.Extents{{Start: 0, End: chunk}, {Start: 2 * chunk, End: size}}},
		"the journal is of something else": {func(_, journal string) error {
			return os.WriteFile(journal, bytes.Repeat([]byte("x"), 1000), 0o600)
		}, nil},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			dir, data := t.TempDir(), noise(size)
			d := digest.FromBytes(data)
			p, err := open(t, dir).Partial(t.Context(), d, -1)
			must(t, err)
			for at := 0; at < size; at += chunk / 4 {
				_, err = p.WriteAt(data[at:at+chunk/4], int64(at))
				must(t, err)
			}
			must(t, p.Close())
			fill := filepath.Join(dir, "partial", "sha256-"+d.Encoded())
			must(t, tc.crash(fill, fill+".journal"))

			p, err = open(t, dir).Partial(t.Context(), d, -1)
			must(t, err)
			if diff := cmp.Diff(tc.want, p.Left()); diff != "" {
				t.Errorf("left (-want +got):\n%s", diff)
			}
			complete(t, p, data)
			object, err := open(t, dir).Open(t.Context(), d)
			must(t, err)
			if object.Size() != size {
				t.Errorf("the object has %d bytes, want %d", object.Size(), size)
			}
			must(t, object.Close())
			wantNames(t, filepath.Join(dir, "partial"))
		})
	}
}

// complete writes what is missing and commits.
func complete(t *testing.T, p store.Partial, data []byte) {
	t.Helper()
	size := int64(len(data))
	for at := p.Left().From(0); at < size; at = p.Left().From(at) {
		end := p.Left().Next(at, size)
		_, err := p.WriteAt(data[at:end], at)
		must(t, err)
		at = end
	}
	proof, err := store.Prove(digest.FromBytes(data), data)
	must(t, err)
	must(t, p.Commit(t.Context(), proof))
}

func TestAKilledFillLosesNothingThatWasWritten(t *testing.T) {
	dir, data := t.TempDir(), noise(4*chunk)
	d := digest.FromBytes(data)
	p, err := open(t, dir).Partial(t.Context(), d, -1)
	must(t, err)
	for at := 0; at < chunk+chunk/2; at += chunk / 4 {
		for _, writer := range []int{0, 2 * chunk} {
			from := writer + at
			_, err := p.WriteAt(data[from:from+chunk/4], int64(from))
			must(t, err)
		}
	}
	// A process that is killed runs no Close: what is on the disk now is what it leaves.
	left := t.TempDir()
	must(t, os.CopyFS(left, os.DirFS(dir)))
	must(t, p.Discard())
	p, err = open(t, left).Partial(t.Context(), d, -1)
	must(t, err)
	if diff := cmp.Diff(store.Extents{{Start: 0, End: chunk + chunk/2}, {Start: 2 * chunk, End: 3*chunk + chunk/2}}, p.Left()); diff != "" {
		t.Errorf("left (-want +got):\n%s", diff)
	}
	complete(t, p, data)
}

func TestAKilledFillOfManyWritersLosesNothingThatWasWritten(t *testing.T) {
	const writers, each = 50, 3 << 10
	dir, data := t.TempDir(), noise(writers*each)
	d := digest.FromBytes(data)
	p, err := open(t, dir).Partial(t.Context(), d, -1)
	must(t, err)
	for at := 0; at < each; at += 1 << 10 {
		for writer := range writers {
			from := writer*each + at
			_, err := p.WriteAt(data[from:from+1<<10], int64(from))
			must(t, err)
		}
	}
	left := t.TempDir()
	must(t, os.CopyFS(left, os.DirFS(dir)))
	must(t, p.Discard())
	p, err = open(t, left).Partial(t.Context(), d, -1)
	must(t, err)
	if diff := cmp.Diff(store.Extents{{Start: 0, End: writers * each}}, p.Left()); diff != "" {
		t.Errorf("left (-want +got):\n%s", diff)
	}
	complete(t, p, data)
}

func TestJournalsWithoutAFillAreRemoved(t *testing.T) {
	dir := t.TempDir()
	open(t, dir)
	partial := filepath.Join(dir, "partial")
	longAgo := time.Now().Add(-2 * time.Hour)
	for _, name := range []string{"sha256-a", "sha256-a.journal", "sha256-b.journal"} {
		path := filepath.Join(partial, name)
		must(t, os.WriteFile(path, nil, 0o600))
		must(t, os.Chtimes(path, longAgo, longAgo))
	}
	open(t, dir)
	wantNames(t, partial, "sha256-a", "sha256-a.journal")
}

func wantNames(t *testing.T, dir string, want ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	must(t, err)
	var got []string
	for _, entry := range entries {
		got = append(got, entry.Name())
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("files in %s (-want +got):\n%s", filepath.Base(dir), diff)
	}
}

func overwrite(path string, at int64, data []byte) error {
	file, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer file.Close()
	_, err = file.WriteAt(data, at)
	return err
}

func noise(size int) []byte {
	data := make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(data)
	return data
}
