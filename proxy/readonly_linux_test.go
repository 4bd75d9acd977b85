package proxy_test

import (
	"net/http"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/registryhub/registryhub/proxy/store/storetest"
)

// remount makes a file system read-only, or not. That is refused while a file on it is being written, and so awaited.
func remount(t *testing.T, dir string, readOnly bool) {
	t.Helper()
	flags := uintptr(unix.MS_REMOUNT)
	if readOnly {
		flags |= unix.MS_RDONLY
	}
	eventually(t, "the disk is remounted", func() bool { return unix.Mount("", dir, "", flags, "size=60m") == nil })
}

// figure is the line of a metric.
func (s *shop) figure(t *testing.T, name string) string {
	t.Helper()
	_, figures := get(t, &http.Client{Transport: s.transport}, "http://"+s.DiagnosticsAddr().String()+"/metrics")
	for line := range strings.Lines(figures) {
		if strings.HasPrefix(line, name+" ") {
			return strings.TrimSpace(line)
		}
	}
	return ""
}

func (s *shop) wantReady(t *testing.T) {
	t.Helper()
	if status, _ := get(t, &http.Client{Transport: s.transport}, "http://"+s.DiagnosticsAddr().String()+"/readyz"); status != http.StatusOK {
		t.Errorf("/readyz: got %d, want 200", status)
	}
}

func TestImagesArePulledThroughAReadOnlyDisk(t *testing.T) {
	dir, here := storetest.SmallDisk(t, "size=60m")
	if !here {
		return
	}
	s := openShop(t, dir, 4)
	s.keep(t, 0)
	remount(t, dir, true)
	s.pull(t, 0)
	s.pull(t, 1)
	s.pull(t, 1)
	eventually(t, "it is shown", func() bool {
		return s.figure(t, "registryhub_proxy_store_writable") == "registryhub_proxy_store_writable 0"
	})
	s.wantReady(t)
	if s.has(s.layers[1]) {
		t.Error("the read-only disk was written")
	}

	again := run(t, s.origin, dir) // as after a restart
	was := s.running
	s.running = again
	s.pull(t, 0)
	s.pull(t, 2)
	s.wantReady(t)
	eventually(t, "it is shown after a restart", func() bool {
		return s.figure(t, "registryhub_proxy_store_writable") == "registryhub_proxy_store_writable 0"
	})
	s.transport.CloseIdleConnections()
	again.stop()
	must(t, <-again.ended)
	s.running = was

	remount(t, dir, false)
	s.keep(t, 1)
	eventually(t, "it is over", func() bool {
		return s.figure(t, "registryhub_proxy_store_writable") == "registryhub_proxy_store_writable 1"
	})
}
