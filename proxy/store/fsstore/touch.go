package fsstore

import (
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// touchEvery keeps hits from writing: last access is known to the hour.
const touchEvery = time.Hour

// touch notes that a file is used. A file that cannot be touched, on a read-only volume say, is evicted the sooner, if at
// all.
func touch(file *os.File, last time.Time) {
	now := time.Now()
	if now.Sub(last) < touchEvery {
		return
	}
	at := unix.NsecToTimeval(now.UnixNano())
	_ = unix.Futimes(int(file.Fd()), []unix.Timeval{at, at})
}
