package proxy_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	config "github.com/registryhub/registryhub/api/config/v1alpha1"
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

// store is what the proxy reports of its store.
func (s *shop) store(t *testing.T) config.StoreReport {
	t.Helper()
	return s.storeReport(t, s.transport)
}

// storeReport is what a proxy says of its store.
func (r *running) storeReport(t *testing.T, transport *http.Transport) config.StoreReport {
	t.Helper()
	_, body := get(t, &http.Client{Transport: transport}, "http://"+r.DiagnosticsAddr().String()+config.ReportPath)
	var report config.ProxyReport
	must(t, json.Unmarshal([]byte(body), &report))
	return report.Store
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
	if diff := cmp.Diff(config.StoreReport{Failing: true}, s.store(t)); diff != "" {
		t.Errorf("the report of a read-only store (-want +got):\n%s", diff)
	}
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
	if diff := cmp.Diff(config.StoreReport{}, s.store(t)); diff != "" {
		t.Errorf("the report once it is over (-want +got):\n%s", diff)
	}
}

func TestADiskThatOthersFillIsReportedFullUntilThereIsRoom(t *testing.T) {
	dir, here := storetest.SmallDisk(t, "size=60m")
	if !here {
		return
	}
	others := filepath.Join(dir, "others")
	if err := os.WriteFile(others, make([]byte, 61<<20), 0o600); !errors.Is(err, unix.ENOSPC) {
		t.Fatalf("filling the disk: %v, want no space left", err)
	}
	s := openShop(t, dir, 1)
	eventually(t, "it is full", func() bool { return s.store(t) == config.StoreReport{Full: true} })
	s.pull(t, 0)
	must(t, os.Remove(others))
	eventually(t, "it can be written again", func() bool {
		return s.figure(t, "registryhub_proxy_store_writable") == "registryhub_proxy_store_writable 1"
	})
	eventually(t, "it is within its watermarks again", func() bool { return s.store(t) == config.StoreReport{} })
}
