package certsd

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var errNotThis = errors.New("not this one")

// behind adopts by putting ours in front of their hosts.toml.
func behind(theirs Files) (Files, error) {
	if string(theirs["hosts.toml"]) == "refused" {
		return nil, errNotThis
	}
	files := Files{}
	for name, data := range theirs {
		files[name] = data
	}
	files["hosts.toml"] = append([]byte("ours, then "), theirs["hosts.toml"]...)
	return files, nil
}

func adoptAll(desired map[string]Files) map[string]Adopt {
	adopt := map[string]Adopt{}
	for host := range desired {
		adopt[host] = behind
	}
	return adopt
}

func (n node) adopt(desired map[string]Files) Result {
	n.tb.Helper()
	result, err := n.directory().Reconcile(Desired{Hosts: desired, Adopt: adoptAll(desired)})
	if err != nil {
		n.tb.Fatalf("Reconcile: %v", err)
	}
	return result
}

// theirs is a directory with a hosts.toml, a CA and a key of its own.
func (n node) theirs(name, content string) Files {
	n.tb.Helper()
	files := Files{"hosts.toml": []byte(content), "ca.crt": []byte("CA"), "client.key": []byte("secret")}
	for file, data := range files {
		n.write(filepath.Join(n.certs, name, file), string(data))
	}
	return files
}

func adoptedFrom(theirs Files) Files {
	files, _ := behind(theirs)
	return files
}

func TestADirectoryIsAdoptedAndPutBackAsItWas(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(n node){
		"the hub goes":       func(n node) { n.reconcile(nil) },
		"the node restored":  func(n node) { _ = n.directory().Restore() },
		"no adoption wanted": func(n node) { n.reconcile(hosts("one", "docker.io")) },
		"adopting fails": func(n node) {
			n.write(filepath.Join(n.certs, original("docker.io"), "hosts.toml"), "refused")
			n.adopt(hosts("one", "docker.io"))
			n.write(filepath.Join(n.certs, "docker.io/hosts.toml"), "theirs")
		},
		"our link removed, then the hub goes": func(n node) {
			_ = os.Remove(filepath.Join(n.certs, "docker.io"))
			n.reconcile(nil)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := newNode(t)
			theirs := n.theirs("docker.io", "theirs")
			before, _ := os.Stat(filepath.Join(n.certs, "docker.io"))
			desired := hosts("one", "docker.io", "quay.io")
			if result := n.adopt(desired); !cmp.Equal(result, Result{Written: []string{"docker.io", "quay.io"}, Failed: map[string]error{}}) {
				t.Errorf("adopting: %+v", result)
			}
			n.mustSee(with(map[string]Files{"docker.io": adoptedFrom(theirs)}, hosts("one", "quay.io")))
			n.mustKeepSecrets("docker.io")
			end(n)
			after, err := os.Lstat(filepath.Join(n.certs, "docker.io"))
			if err != nil || !os.SameFile(before, after) {
				t.Errorf("the original is not in its place (%v)", err)
			}
			n.mustSee(map[string]Files{"docker.io": theirs})
			n.reconcile(nil)
			if got := n.names(n.certs); !cmp.Equal(got, []string{"docker.io"}) {
				t.Errorf("in the end the certs directory holds %q", got)
			}
		})
	}
}

func (n node) mustKeepSecrets(name string) {
	n.tb.Helper()
	directory := filepath.Join(n.certs, name)
	for _, file := range n.names(directory) {
		if info, err := os.Stat(filepath.Join(directory, file)); err != nil || info.Mode().Perm() != secretMode {
			n.tb.Errorf("%s: %v (%v), want %o", file, info.Mode(), err, secretMode)
		}
	}
}

func TestWhatIsAdoptedOutlivesAReboot(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	lasting, beside := n.theirs("docker.io", "theirs"), n.theirs("h:5000", "theirs too")
	desired := hosts("one", "docker.io", "h:5000")
	n.adopt(desired)
	n.mustSee(map[string]Files{"docker.io": adoptedFrom(lasting), "h:5000": adoptedFrom(beside)})
	n.mustKeepSecrets("h_5000_")
	_ = os.RemoveAll(n.run)
	n.mustSee(map[string]Files{"docker.io": adoptedFrom(lasting), "h:5000": beside})
	n.adopt(desired)
	n.mustSee(map[string]Files{"docker.io": adoptedFrom(lasting), "h:5000": adoptedFrom(beside)})
}

func TestAdoptionFollowsTheOriginalAndUndoesEdits(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	n.theirs("docker.io", "theirs")
	desired := hosts("one", "docker.io")
	n.adopt(desired)
	before := n.tree()
	if result := n.adopt(desired); len(result.Written) > 0 {
		t.Errorf("a second pass: %+v", result)
	}
	if diff := cmp.Diff(before, n.tree()); diff != "" {
		t.Errorf("a second pass moved something (-before +after):\n%s", diff)
	}
	n.write(filepath.Join(n.certs, "docker.io/hosts.toml"), "an edit")
	n.adopt(desired)
	if got := string(n.sees("docker.io")["hosts.toml"]); got != "ours, then theirs" {
		t.Errorf("after an edit of ours: %q", got)
	}
	n.write(filepath.Join(n.certs, original("docker.io"), "hosts.toml"), "theirs anew")
	n.adopt(desired)
	n.adopt(desired)
	if got := string(n.sees("docker.io")["hosts.toml"]); got != "ours, then theirs anew" {
		t.Errorf("after an edit of the original: %q", got)
	}
	if got := n.names(filepath.Join(n.certs, lastingName)); len(got) != 1 {
		t.Errorf("%q lie behind", got)
	}
}

func TestWhatCannotBeAdoptedIsLeftAlone(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		make func(n node)
		want string
	}{
		"a link":          {func(n node) { n.link("docker.io", "/opt/certs") }, "is a link to /opt/certs that"},
		"a file":          {func(n node) { n.write(filepath.Join(n.certs, "docker.io"), "x") }, "is a file that"},
		"a link inside":   {func(n node) { n.theirs("docker.io", "x"); n.link("docker.io/more", "/x") }, "more in it is not a file"},
		"a folder inside": {func(n node) { n.write(filepath.Join(n.certs, "docker.io/sub/x"), "x") }, "sub in it is not a file"},
		"one refused":     {func(n node) { n.theirs("docker.io", "refused") }, "left alone: not this one."},
		"a large file": {func(n node) {
			n.write(filepath.Join(n.certs, "docker.io/big"), strings.Repeat("x", maxAdoptedBytes+1))
		}, "big in it is larger than"},
		"one that came after another": {func(n node) {
			n.theirs("docker.io", "first")
			n.adopt(hosts("one", "docker.io"))
			_ = os.Remove(filepath.Join(n.certs, "docker.io"))
			n.theirs("docker.io", "second")
		}, "has been written anew, while"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := newNode(t)
			_ = os.MkdirAll(n.certs, 0o755)
			tc.make(n)
			before := n.tree()
			for range 2 {
				result := n.adopt(hosts("one", "docker.io"))
				if err := result.Failed["docker.io"]; err == nil || !strings.Contains(err.Error(), tc.want) {
					t.Errorf("error %v, want one with %q", err, tc.want)
				}
			}
			after := n.tree()
			for path := range after {
				if strings.HasPrefix(path, n.run) || strings.Contains(path, lastingName) {
					delete(after, path)
					delete(before, path)
				}
			}
			delete(before, n.certs)
			delete(after, n.certs)
			for path := range before {
				if strings.Contains(path, lastingName) {
					delete(before, path)
				}
			}
			if diff := cmp.Diff(before, after); diff != "" {
				t.Errorf("something moved (-before +after):\n%s", diff)
			}
		})
	}
}

// TestTheirsOrOursIsInForceWhereverTheAgentStops stops an adoption, a change of one, and the ways out of it at each step.
func TestTheirsOrOursIsInForceWhereverTheAgentStops(t *testing.T) {
	t.Parallel()
	desired := hosts("one", "docker.io", "h:5000", "quay.io")
	adopt := func(d *Directory) error {
		result, err := d.Reconcile(Desired{Hosts: desired, Adopt: adoptAll(desired)})
		return errors.Join(err, result.Unswept, errors.Join(values(result.Failed)...))
	}
	withdraw := func(d *Directory) error {
		result, err := d.Reconcile(Desired{})
		return errors.Join(err, result.Unswept)
	}
	theirs := func(n node) { n.theirs("docker.io", "theirs"); n.theirs("h:5000", "theirs") }
	adopted := func(n node) { theirs(n); n.adopt(desired) }
	for name, tc := range map[string]struct {
		setUp func(n node)
		run   func(*Directory) error
	}{
		"adopting": {theirs, adopt},
		"a change of theirs": {func(n node) {
			adopted(n)
			n.write(filepath.Join(n.certs, original("docker.io"), "hosts.toml"), "theirs anew")
		}, adopt},
		"giving back": {adopted, withdraw},
		"restoring":   {adopted, (*Directory).Restore},
	} {
		for kind, disk := range kinds {
			t.Run(name+", "+kind, func(t *testing.T) {
				t.Parallel()
				for at := 1; stopAdoption(t, tc.setUp, disk, at, tc.run); at++ {
				}
			})
		}
	}
}

// stopAdoption runs into one stop, and says whether there was one. Whatever was stopped, the agent after it ends it.
func stopAdoption(t *testing.T, setUp func(node), disk stoppingDisk, at int, run func(*Directory) error) bool {
	t.Helper()
	n := newNode(t)
	setUp(n)
	disk.stopAt = at
	d := n.directory()
	d.disk = &disk
	_ = run(d)
	for _, host := range []string{"docker.io", "h:5000"} {
		got := n.sees(host)
		if content := strings.TrimPrefix(string(got["hosts.toml"]), "ours, then "); !strings.HasPrefix(content, "theirs") || len(got) != 3 {
			t.Errorf("stopped at step %d: %s has %q", at, host, got)
		}
	}
	for range 2 {
		n.reconcile(nil)
	}
	if got := n.names(n.certs); !cmp.Equal(got, []string{"docker.io", "h:5000"}) {
		t.Errorf("stopped at step %d: in the end the certs directory holds %q", at, got)
	}
	for _, host := range []string{"docker.io", "h:5000"} {
		if got := n.sees(host); !strings.HasPrefix(string(got["hosts.toml"]), "theirs") || len(got) != 3 {
			t.Errorf("stopped at step %d: in the end %s has %q", at, host, got)
		}
	}
	return disk.steps >= at
}
