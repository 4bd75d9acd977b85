package fsstore_test

import (
	"errors"
	"os"
	"testing"
	"unsafe"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sys/unix"

	"github.com/registryhub/registryhub/proxy/store"
	"github.com/registryhub/registryhub/proxy/store/storetest"
)

// inMemory is how many pages of a file the page cache holds.
func inMemory(t *testing.T, path string) (pages int) {
	t.Helper()
	file, err := os.Open(path)
	must(t, err)
	defer file.Close()
	info, err := file.Stat()
	must(t, err)
	mapped, err := unix.Mmap(int(file.Fd()), 0, int(info.Size()), unix.PROT_READ, unix.MAP_SHARED)
	must(t, err)
	resident := make([]byte, len(mapped)/os.Getpagesize()+1)
	_, _, failed := unix.Syscall(unix.SYS_MINCORE, uintptr(unsafe.Pointer(&mapped[0])), uintptr(len(mapped)), uintptr(unsafe.Pointer(&resident[0])))
	if failed != 0 {
		t.Fatalf("asking what of %s is in memory: %v", path, failed)
	}
	must(t, unix.Munmap(mapped))
	for _, page := range resident {
		pages += int(page & 1)
	}
	return pages
}

// forget drops a part of a file from the page cache.
func forget(t *testing.T, path string, offset, length int64) {
	t.Helper()
	file, err := os.Open(path)
	must(t, err)
	must(t, unix.Fadvise(int(file.Fd()), offset, length, unix.FADV_DONTNEED))
	must(t, file.Close())
}

func TestScrubLeavesThePageCacheAsItWas(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	page := int64(os.Getpagesize())
	for name, data := range map[string]string{"small": "0123456789", "large": string(make([]byte, 700_001))} {
		t.Run(name, func(t *testing.T) {
			put(t, s, data)
			d := digest.FromString(data)
			path := blob(dir, d)
			all := inMemory(t, path)
			if all == 0 {
				t.Fatalf("what was just written to %s is not in memory", path)
			}
			for _, forgotten := range []int64{0, 2 * page, int64(len(data)) + page} {
				if forgotten > 0 {
					forget(t, path, 0, forgotten/page*page)
				}
				before := inMemory(t, path)
				_, err := s.Scrub(t.Context(), d, unpaced)
				must(t, err)
				if after := inMemory(t, path); after != before {
					t.Errorf("%d of %d pages were in memory before the scrub, and %d after it", before, all, after)
				}
			}
		})
	}
}

func TestQuarantineTakesAShareOfTheDisk(t *testing.T) {
	dir, here := storetest.SmallDisk(t, "size=20m")
	if !here {
		return
	}
	s := open(t, dir)
	var asides []string
	for i := range 2 {
		data := make([]byte, 700<<10)
		data[0] = byte(i)
		proof, err := store.Prove(digest.FromBytes(data), data)
		must(t, err)
		must(t, s.Put(t.Context(), proof, data))
		must(t, flip(blob(dir, proof.Digest()), 1))
		_, err = s.Scrub(t.Context(), proof.Digest(), unpaced)
		if !errors.Is(err, store.ErrDamaged) {
			t.Fatalf("scrubbing: got error %v, want ErrDamaged", err)
		}
		asides = append(asides, aside(dir, proof.Digest()))
	}
	for i, want := range []bool{false, true} {
		_, err := os.Stat(asides[i])
		if got := err == nil; got != want {
			t.Errorf("object %d is in quarantine, which has 5 %% of 20 MiB: %v, want %v", i, got, want)
		}
	}
}
