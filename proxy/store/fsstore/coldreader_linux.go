package fsstore

import (
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

func adviseRandom(file *os.File) {
	_ = unix.Fadvise(int(file.Fd()), 0, 0, unix.FADV_RANDOM) // advice
}

func drop(file *os.File, part extent) {
	_ = unix.Fadvise(int(file.Fd()), part.offset, part.length, unix.FADV_DONTNEED) // advice
}

// coldParts are the parts of a piece, which begins at a page, that are not in memory. Where nobody can tell that is all of
// it. It asks mincore(2): a read with RWF_NOWAIT sets off the read that it does not wait for.
func coldParts(file *os.File, offset, length int64) []extent {
	resident, ok := residence(file, offset, length)
	if !ok {
		return []extent{{offset, length}}
	}
	var parts []extent
	page := int64(os.Getpagesize())
	for i, in := range resident {
		begins, last := offset+int64(i)*page, len(parts)-1
		switch size := min(page, offset+length-begins); {
		case in&1 != 0:
		case last >= 0 && parts[last].offset+parts[last].length == begins:
			parts[last].length += size
		default:
			parts = append(parts, extent{begins, size})
		}
	}
	return parts
}

// residence has a byte for each page of a piece, whose lowest bit says whether it is in memory. The pages are mapped and
// never touched, so that a file that is cut meanwhile does no harm.
func residence(file *os.File, offset, length int64) ([]byte, bool) {
	mapped, err := unix.Mmap(int(file.Fd()), offset, int(length), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return nil, false
	}
	page := os.Getpagesize()
	resident := make([]byte, (int(length)+page-1)/page)
	_, _, failed := unix.Syscall(unix.SYS_MINCORE, uintptr(unsafe.Pointer(&mapped[0])), uintptr(length), uintptr(unsafe.Pointer(&resident[0]))) //nolint:gosec // x/sys has no mincore
	return resident, unix.Munmap(mapped) == nil && failed == 0
}
