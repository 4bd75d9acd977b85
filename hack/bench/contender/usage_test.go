package contender

import (
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestSizesAreReadByTheirNames(t *testing.T) {
	t.Parallel()
	const status = "Name:\tx\nVmPeak:\t  9999 kB\nVmHWM:\t    2048 kB\nVmRSS:\t   7 kB\nRssAnon:\t   5 kB\n"
	for field, want := range map[string]int64{"VmHWM": 2 << 20, "RssAnon": 5 << 10} {
		if got, err := sizeOf(field, []byte(status)); err != nil || got != want {
			t.Errorf("%s is %d (%v), want %d", field, got, err, want)
		}
	}
	for _, status := range []string{"", "VmRSS:\t 7 kB\n", "VmHWM:", "VmHWM: much"} {
		if _, err := sizeOf("VmHWM", []byte(status)); err == nil {
			t.Errorf("%q was taken for a peak", status)
		}
	}
}

func TestTheUseOfChildrenCounts(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "ready")
	p, err := launch(filepath.Join(t.TempDir(), "log"), "/bin/sh", "-c",
		"sh -c 'i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; : > "+file+"; sleep 600' & wait")
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := p.Kill(); err != nil {
			t.Error(err)
		}
	}()
	for _, err := os.Stat(file); err != nil; _, err = os.Stat(file) {
		if t.Context().Err() != nil {
			t.Fatal(err)
		}
	}
	if all := family(p.command.Process.Pid); len(all) < 2 {
		t.Errorf("the family is %v, want a child too", all)
	}
	if used, err := p.CPU(); err != nil || used <= 0 {
		t.Errorf("the CPU time is %s (%v)", used, err)
	}
	peak, err := p.PeakMemory()
	if err != nil || peak <= 0 {
		t.Errorf("the peak memory is %d (%v)", peak, err)
	}
	if private, err := p.PrivateMemory(); err != nil || private <= 0 || private > peak {
		t.Errorf("the private memory is %d of %d (%v)", private, peak, err)
	}
}
