package certsd

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// node is the two folders of one node.
type node struct {
	tb         testing.TB
	certs, run string
}

func newNode(tb testing.TB) node {
	tb.Helper()
	root := tb.TempDir()
	return node{tb: tb, certs: filepath.Join(root, "certs.d"), run: filepath.Join(root, "run")}
}

func (n node) directory() *Directory { return New(n.certs, n.run) }

func (n node) reconcile(desired map[string]Files) Result {
	n.tb.Helper()
	result, err := n.directory().Reconcile(Desired{Hosts: desired})
	if err != nil {
		n.tb.Fatalf("Reconcile: %v", err)
	}
	return result
}

// sees is what containerd finds for a host: the files of the first directory there is, nil without one.
func (n node) sees(host string) Files {
	n.tb.Helper()
	for _, name := range Names(host) {
		directory := filepath.Join(n.certs, name)
		if _, err := os.Stat(directory); errors.Is(err, fs.ErrNotExist) {
			continue
		} else if err != nil {
			n.tb.Fatalf("containerd could not look up %s: %v", host, err)
		}
		return readFiles(n.tb, directory)
	}
	return nil
}

func readFiles(tb testing.TB, directory string) Files {
	tb.Helper()
	listed, err := os.ReadDir(directory)
	if err != nil {
		tb.Fatal(err)
	}
	files := Files{}
	for _, found := range listed {
		data, err := os.ReadFile(filepath.Join(directory, found.Name()))
		if err != nil {
			tb.Fatal(err)
		}
		files[found.Name()] = data
	}
	return files
}

func (n node) mustSee(desired map[string]Files) {
	n.tb.Helper()
	for host, want := range desired {
		if diff := cmp.Diff(want, n.sees(host), cmpopts.EquateEmpty()); diff != "" {
			n.tb.Errorf("%s (-want +got):\n%s", host, diff)
		}
	}
}

// tree is every path below the two folders with what it is, for telling that nothing moved.
func (n node) tree() map[string]string {
	n.tb.Helper()
	tree := map[string]string{}
	for _, root := range []string{n.certs, n.run} {
		err := filepath.Walk(root, func(path string, info fs.FileInfo, err error) error {
			if err == nil {
				target, _ := os.Readlink(path)
				tree[path] = info.Mode().String() + " " + info.ModTime().String() + " " + target
			}
			return err
		})
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			n.tb.Fatal(err)
		}
	}
	return tree
}

func (n node) write(path, content string) {
	n.tb.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		n.tb.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		n.tb.Fatal(err)
	}
}

func (n node) names(folder string) []string {
	n.tb.Helper()
	listed, err := os.ReadDir(folder)
	if err != nil {
		n.tb.Fatal(err)
	}
	var names []string
	for _, found := range listed {
		names = append(names, found.Name())
	}
	return names
}

func hosts(content string, names ...string) map[string]Files {
	desired := map[string]Files{}
	for _, name := range names {
		desired[name] = Files{"hosts.toml": []byte(content + " for " + name)}
	}
	return desired
}

func with(all ...map[string]Files) map[string]Files {
	joined := map[string]Files{}
	for _, some := range all {
		maps.Copy(joined, some)
	}
	return joined
}

func TestReconcileWiresChangesAndWithdraws(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	first := hosts("one", "docker.io", "registry.k8s.io", "registry.example.com:5000", "[fd00::1]:5000", "[fd00::1]")
	result := n.reconcile(first)
	if len(result.Written) != len(first) || len(result.Failed) > 0 {
		t.Errorf("the first pass: %+v", result)
	}
	n.mustSee(first)

	second := with(hosts("two", "docker.io"), hosts("one", "registry.k8s.io"))
	kept, _ := os.Readlink(filepath.Join(n.certs, "registry.k8s.io"))
	want := Result{
		Written:   []string{"docker.io"},
		Withdrawn: []string{"[fd00::1]_5000_", "[fd00:_1]_", "registry.example.com_5000_"},
		Failed:    map[string]error{},
	}
	if diff := cmp.Diff(want, n.reconcile(second)); diff != "" {
		t.Errorf("the second pass (-want +got):\n%s", diff)
	}
	n.mustSee(second)
	if now, _ := os.Readlink(filepath.Join(n.certs, "registry.k8s.io")); now != kept {
		t.Errorf("the link of the host that did not change moved from %s to %s", kept, now)
	}
	if got := n.names(n.certs); !cmp.Equal(got, []string{"docker.io", "registry.k8s.io"}) {
		t.Errorf("certs directory holds %q", got)
	}
}

func TestOldFilesStayUntilTheNextPass(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	n.reconcile(hosts("one", "docker.io"))
	n.reconcile(hosts("two", "docker.io"))
	if got := n.names(n.run); !cmp.Equal(got, []string{"1", "2"}) {
		t.Errorf("after the swap the run directory holds %q", got)
	}
	n.reconcile(hosts("two", "docker.io"))
	if got := n.names(n.run); !cmp.Equal(got, []string{"2"}) {
		t.Errorf("after the next pass the run directory holds %q", got)
	}
}

func TestReconcileWritesNothingWhenAllIsAsWanted(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	desired := hosts("one", "docker.io", "h:5000")
	n.reconcile(desired)
	before := n.tree()
	counting := &stoppingDisk{}
	d := n.directory()
	d.disk = counting
	result, err := d.Reconcile(Desired{Hosts: desired})
	if err != nil || !cmp.Equal(result, Result{Failed: map[string]error{}}) {
		t.Errorf("Reconcile: %+v, %v", result, err)
	}
	if counting.steps > 0 {
		t.Errorf("%d steps were made", counting.steps)
	}
	if diff := cmp.Diff(before, n.tree()); diff != "" {
		t.Errorf("something moved (-before +after):\n%s", diff)
	}
}

func TestReconcileRepairsWhatHandsDid(t *testing.T) {
	t.Parallel()
	desired := hosts("one", "docker.io", "h:5000")
	for name, damage := range map[string]func(n node){
		"a file edited":          func(n node) { n.write(filepath.Join(n.certs, "docker.io/hosts.toml"), "server = 1") },
		"a file of equal length": func(n node) { n.write(filepath.Join(n.certs, "docker.io/hosts.toml"), "ONE for docker.io") },
		"a file removed":         func(n node) { _ = os.Remove(filepath.Join(n.certs, "docker.io/hosts.toml")) },
		"a file added":           func(n node) { n.write(filepath.Join(n.certs, "docker.io/ca.crt"), "x") },
		"a link removed":         func(n node) { _ = os.Remove(filepath.Join(n.certs, "docker.io")) },
		"the run directory gone": func(n node) { _ = os.RemoveAll(n.run) },
		"the certs directory gone": func(n node) {
			_ = os.RemoveAll(n.certs)
		},
		"a link to another host's": func(n node) { n.link("docker.io", filepath.Join(n.run, "1/h_5000_")) },
		"a link to a generation":   func(n node) { n.link("docker.io", filepath.Join(n.run, "1")) },
		"a link far ahead":         func(n node) { n.link("docker.io", filepath.Join(n.run, "99999999999999999999/docker.io")) },
		"a link to a later one":    func(n node) { n.link("docker.io", filepath.Join(n.run, "7/docker.io")) },
		"our link, other spelling": func(n node) { n.link("h:5000", filepath.Join(n.run, "1/h_5000_")) },
		"a file made a directory": func(n node) {
			_ = os.Remove(filepath.Join(n.certs, "docker.io/hosts.toml"))
			_ = os.Mkdir(filepath.Join(n.certs, "docker.io/hosts.toml"), 0o755)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := newNode(t)
			n.reconcile(desired)
			damage(n)
			n.reconcile(desired)
			n.mustSee(desired)
			n.reconcile(desired)
			n.mustBeTidy(desired)
		})
	}
}

func (n node) link(name, target string) {
	n.tb.Helper()
	_ = os.Remove(filepath.Join(n.certs, name))
	if err := os.Symlink(target, filepath.Join(n.certs, name)); err != nil {
		n.tb.Fatal(err)
	}
}

// mustBeTidy holds that the folders have what is desired and not a file more.
func (n node) mustBeTidy(desired map[string]Files) {
	n.tb.Helper()
	linked := map[string]bool{}
	for host := range desired {
		target, err := os.Readlink(filepath.Join(n.certs, Names(host)[0]))
		if err != nil {
			n.tb.Error(err)
		}
		linked[target] = true
	}
	if got := n.names(n.certs); len(got) != len(desired) {
		n.tb.Errorf("the certs directory holds %q", got)
	}
	for _, generation := range n.names(n.run) {
		for _, host := range n.names(filepath.Join(n.run, generation)) {
			if at := filepath.Join(n.run, generation, host); !linked[at] {
				n.tb.Errorf("%s was left behind", at)
			}
		}
	}
}

func TestWhatIsNotOursIsNeverTouched(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		host string
		make func(n node)
		want string
	}{
		"a directory":            {"docker.io", func(n node) { n.write(filepath.Join(n.certs, "docker.io/hosts.toml"), "x") }, "is a directory that"},
		"an empty directory":     {"docker.io", func(n node) { _ = os.MkdirAll(filepath.Join(n.certs, "docker.io"), 0o755) }, "is a directory that"},
		"a file":                 {"docker.io", func(n node) { n.write(filepath.Join(n.certs, "docker.io"), "x") }, "is a file that"},
		"a link elsewhere":       {"docker.io", func(n node) { n.link("docker.io", "/opt/certs") }, "is a link to /opt/certs that"},
		"a relative link":        {"docker.io", func(n node) { n.link("docker.io", "../run/1/docker.io") }, "is a link to ../run"},
		"a link out of ours":     {"docker.io", func(n node) { n.link("docker.io", n.run+"/../other") }, "is a link to"},
		"a link to ours itself":  {"docker.io", func(n node) { n.link("docker.io", n.run) }, "is a link to"},
		"a link beside ours":     {"docker.io", func(n node) { n.link("docker.io", n.run+"2/1/docker.io") }, "is a link to"},
		"containerd's spelling":  {"h:5000", func(n node) { n.write(filepath.Join(n.certs, "h_5000_/hosts.toml"), "x") }, "h_5000_ is a directory"},
		"the spelling with ':'":  {"h:5000", func(n node) { n.write(filepath.Join(n.certs, "h:5000/hosts.toml"), "x") }, "h:5000 is a directory"},
		"a directory of the tmp": {"h:5000", func(n node) { _ = os.MkdirAll(filepath.Join(n.certs, "h:5000", temporaryName), 0o755) }, "is a directory"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := newNode(t)
			desired := hosts("one", tc.host, "quay.io")
			n.reconcile(desired)
			_ = os.Remove(filepath.Join(n.certs, Names(tc.host)[0]))
			tc.make(n)
			before := n.tree()
			result := n.reconcile(desired)
			var foreign *ForeignError
			if err := result.Failed[tc.host]; !errors.As(err, &foreign) || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v, want a ForeignError with %q", result.Failed, tc.want)
			}
			n.reconcile(desired)
			if diff := cmp.Diff(only(before, n.certs), only(n.tree(), n.certs)); diff != "" {
				t.Errorf("the certs directory moved (-before +after):\n%s", diff)
			}
			n.mustSee(hosts("one", "quay.io"))
			if err := n.directory().Restore(); err != nil {
				t.Errorf("Restore: %v", err)
			}
			if got := n.names(n.certs); len(got) != 1 {
				t.Errorf("after Restore the certs directory holds %q", got)
			}
		})
	}
}

// only are the paths of a tree below a folder, without the folder.
func only(tree map[string]string, folder string) map[string]string {
	below := map[string]string{}
	for path, what := range tree {
		if strings.HasPrefix(path, folder+"/") {
			below[path] = what
		}
	}
	return below
}

func TestAForeignSpellingTakesOursBack(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	n.reconcile(hosts("one", "h:5000"))
	n.write(filepath.Join(n.certs, "h:5000/hosts.toml"), "theirs")
	result := n.reconcile(hosts("one", "h:5000"))
	if !cmp.Equal(result.Withdrawn, []string{"h_5000_"}) || result.Failed["h:5000"] == nil {
		t.Errorf("Reconcile: %+v", result)
	}
	n.mustSee(map[string]Files{"h:5000": {"hosts.toml": []byte("theirs")}})
}

func TestNamesThatCouldLeaveTheFolderAreRefused(t *testing.T) {
	t.Parallel()
	for _, host := range []string{"", ".", "..", "../x", "/etc/passwd", "a/b", `a\b`, "a#b", "a\x00b", "[fe80::1%/../../x]:5000", temporaryName} {
		n := newNode(t)
		result := n.reconcile(hosts("one", host, "docker.io"))
		if result.Failed[host] == nil || len(result.Written) != 1 {
			t.Errorf("%q: %+v", host, result)
		}
		n.mustBeTidy(hosts("one", "docker.io"))
	}
	n := newNode(t)
	if result := n.reconcile(map[string]Files{"docker.io": {"../x": nil}}); result.Failed["docker.io"] == nil {
		t.Errorf("a file that leaves the folder: %+v", result)
	}
}

func TestRestoreLeavesNothingOfOurs(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	n.reconcile(hosts("one", "docker.io", "h:5000"))
	n.reconcile(hosts("two", "docker.io"))
	n.write(filepath.Join(n.certs, "quay.io/hosts.toml"), "theirs")
	n.write(filepath.Join(n.run, "somebody"), "theirs")
	if err := n.directory().Restore(); err != nil {
		t.Fatalf("Restore: %v", err)
	}
	if got := n.names(n.certs); !cmp.Equal(got, []string{"quay.io"}) {
		t.Errorf("the certs directory holds %q", got)
	}
	if got := n.names(n.run); !cmp.Equal(got, []string{"somebody"}) {
		t.Errorf("the run directory holds %q", got)
	}
}

func TestASecondAgentOnTheNodeIsHeldOff(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	first, err := n.directory().begin()
	if err != nil {
		t.Fatal(err)
	}
	result, err := n.directory().Reconcile(Desired{Hosts: hosts("one", "docker.io")})
	if err == nil || result.Failed["docker.io"] == nil {
		t.Errorf("Reconcile beside another: %+v, %v", result, err)
	}
	if err := n.directory().Restore(); err == nil {
		t.Error("Restore beside another: no error")
	}
	first.end()
	n.reconcile(hosts("one", "docker.io"))
	n.mustSee(hosts("one", "docker.io"))
}

func TestAFolderThatCannotBeUsedFailsEveryHost(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"certs.d", "run"} {
		n := newNode(t)
		n.write(filepath.Join(filepath.Dir(n.certs), name), "a file")
		result, err := n.directory().Reconcile(Desired{Hosts: hosts("one", "docker.io", "quay.io")})
		if err == nil || len(result.Failed) != 2 {
			t.Errorf("%s is a file: %+v, %v", name, result, err)
		}
		if err := n.directory().Restore(); err == nil {
			t.Errorf("%s is a file: Restore gave no error", name)
		}
	}
}

func TestAFailureReadsTheSameAtEachPass(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	var told []string
	for range 3 {
		d := n.directory()
		d.disk = fullDisk{}
		result, err := d.Reconcile(Desired{Hosts: hosts("one", "docker.io")})
		if err != nil || result.Failed["docker.io"] == nil {
			t.Fatalf("Reconcile: %+v, %v", result, err)
		}
		told = append(told, result.Failed["docker.io"].Error())
	}
	want := "writing the files of docker.io to " + n.run + ": no space left on device"
	if !cmp.Equal(told, []string{want, want, want}) {
		t.Errorf("told %q, want %q each time", told, want)
	}
}

// fullDisk has room for folders and links, and none for files.
type fullDisk struct{ realDisk }

func (fullDisk) WriteFile(_ *os.Root, name string, _ []byte) error {
	return &fs.PathError{Op: "write", Path: name, Err: syscall.ENOSPC}
}
