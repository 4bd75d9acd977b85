package tlsfiles

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a Store with a clock that the test moves.
type world struct {
	t     *testing.T
	run   string
	now   time.Time
	store *Store
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, run: filepath.Join(t.TempDir(), "run"), now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	w.store = New(w.run, func() time.Time { return w.now })
	return w
}

func (w *world) write(m Material) Paths {
	w.t.Helper()
	paths, err := w.store.Write(m)
	if err != nil {
		w.t.Fatal(err)
	}
	return paths
}

// files are the contents by the end of each name, which says what it is.
func (w *world) files() map[string][]string {
	w.t.Helper()
	listed, err := os.ReadDir(filepath.Join(w.run, folder))
	if err != nil && !os.IsNotExist(err) {
		w.t.Fatal(err)
	}
	found := map[string][]string{}
	for _, file := range listed {
		data, err := os.ReadFile(filepath.Join(w.run, folder, file.Name()))
		if err != nil {
			w.t.Fatal(err)
		}
		_, kind, _ := strings.Cut(file.Name(), "-")
		found[kind] = append(found[kind], string(data))
	}
	return found
}

var (
	first  = Material{CA: []byte("ca 1"), Certificate: []byte("certificate 1"), Key: []byte("key 1")}
	second = Material{CA: []byte("ca 2"), Certificate: []byte("certificate 1"), Key: []byte("key 2")}
)

func TestFilesHoldTheMaterial(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	paths := w.write(first)
	for path, want := range map[string]struct {
		data string
		mode fs.FileMode
	}{paths.CA: {"ca 1", 0o644}, paths.Certificate: {"certificate 1", 0o644}, paths.Key: {"key 1", 0o600}} {
		data, err := os.ReadFile(path)
		if err != nil || string(data) != want.data {
			t.Errorf("%s holds %q (%v), want %q", path, data, err, want.data)
		}
		if info, err := os.Stat(path); err != nil || info.Mode() != want.mode {
			t.Errorf("%s has mode %v (%v), want %v", path, info.Mode(), err, want.mode)
		}
		if filepath.Ext(path) != ".pem" {
			t.Errorf("%s could be taken for a CA of the upstream: it must end in .pem", path)
		}
	}
	if none := newWorld(t).write(Material{}); none != (Paths{}) {
		t.Errorf("%+v of nothing", none)
	}
}

func TestAFileNeverChangesWhatItHolds(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	before, after := w.write(first), w.write(second)
	if before.CA == after.CA || before.Key == after.Key || before.Certificate == after.Certificate {
		t.Errorf("%+v and %+v share a path", before, after)
	}
	want := map[string][]string{
		"ca.pem": {"ca 1", "ca 2"}, "client.pem": {"certificate 1", "certificate 1"}, "client-key.pem": {"key 1", "key 2"},
	}
	if diff := cmp.Diff(want, w.files(), cmp.Transformer("sorted", sorted)); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	if again := w.write(first); again != before {
		t.Errorf("%+v, and then %+v of the same", before, again)
	}
}

func sorted(list []string) map[string]int {
	counted := map[string]int{}
	for _, s := range list {
		counted[s]++
	}
	return counted
}

func TestWhatSomebodyDidToAFileIsPutRight(t *testing.T) {
	t.Parallel()
	for name, harm := range map[string]func(path string) error{
		"removed":          os.Remove,
		"emptied":          func(path string) error { return os.Truncate(path, 0) },
		"altered":          func(path string) error { return os.WriteFile(path, []byte("KEY 1"), 0o600) },
		"opened to others": func(path string) error { return os.Chmod(path, 0o644) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			key := w.write(first).Key
			if err := harm(key); err != nil {
				t.Fatal(err)
			}
			w.write(first)
			data, err := os.ReadFile(key)
			info, statErr := os.Stat(key)
			if err != nil || statErr != nil || string(data) != "key 1" || info.Mode() != 0o600 {
				t.Errorf("it holds %q, mode %v", data, info.Mode())
			}
		})
	}
}

func TestOldFilesStayForAWhile(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.write(first)
	for range 20 { // wanted all the time, however old
		w.now = w.now.Add(time.Minute)
		w.write(first)
		w.sweep()
	}
	w.write(second)
	w.now = w.now.Add(Retention - touched - time.Second)
	w.sweep()
	if got := w.files()["client-key.pem"]; len(got) != 2 {
		t.Errorf("just replaced, and the keys are %q", got)
	}
	w.now = w.now.Add(touched + time.Second)
	w.write(second)
	w.sweep()
	want := map[string][]string{"ca.pem": {"ca 2"}, "client.pem": {"certificate 1"}, "client-key.pem": {"key 2"}}
	if diff := cmp.Diff(want, w.files()); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

func (w *world) sweep() {
	w.t.Helper()
	if err := w.store.Sweep(); err != nil {
		w.t.Fatal(err)
	}
}

func TestWhatAStoppedAgentLeftIsNoObstacle(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	key := w.write(first).Key
	if err := os.Rename(key, key+".new"); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(key+".new", 2); err != nil {
		t.Fatal(err)
	}
	w.write(first)
	if data, err := os.ReadFile(key); err != nil || string(data) != "key 1" {
		t.Errorf("%q, %v", data, err)
	}
}

func TestRemoveLeavesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.write(first)
	for range 2 {
		if err := w.store.Remove(); err != nil {
			t.Fatal(err)
		}
	}
	if listed, err := os.ReadDir(w.run); err != nil || len(listed) > 0 {
		t.Errorf("left: %v, %v", listed, err)
	}
}
