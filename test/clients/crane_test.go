package clients

import (
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

func TestCranePushesAndPulls(t *testing.T) {
	for name, w := range ways {
		t.Run(name, func(t *testing.T) {
			dir, digest := index(t)
			c := newCrane(t, w)
			ref := c.address + "/team/app:v1"
			if !w.anyone {
				if out, err := try(t, c.home, c.program, "push", dir, ref); err == nil || !strings.Contains(out, "401 Unauthorized") {
					t.Errorf("anyone pushes to a registry of users: %s", out)
				}
				c.run(t, "auth", "login", c.address, "-u", user, "-p", password)
			}
			c.run(t, "push", dir, ref)
			c.says(t, digest, "digest", ref)
			c.run(t, "pull", "--format", "oci", "--platform", "linux/"+runtime.GOARCH, ref, filepath.Join(c.home, "pulled")) // it takes nothing from elsewhere on loopback
			c.run(t, "copy", ref, c.address+"/team/copy:v1")
			c.says(t, digest, "digest", c.address+"/team/copy:v1")
			c.run(t, "tag", ref, "latest")
			c.says(t, "latest\nv1", "ls", c.address+"/team/app")
			c.run(t, "delete", ref)
			c.says(t, "latest", "ls", c.address+"/team/app")
			c.run(t, "delete", c.address+"/team/app@"+digest)
			c.says(t, "", "ls", c.address+"/team/app")
		})
	}
}

func TestCranePushesWhatIsElsewhereWhenItIsToldTo(t *testing.T) {
	dir, _ := index(t)
	c, layer := newCrane(t, way{anyone: true}), addendumDigest(t, elsewhere(t))
	c.run(t, "push", dir, c.address+"/team/without:v1")
	if out, err := try(t, c.home, c.program, "blob", c.address+"/team/without@"+layer); err == nil {
		t.Errorf("a layer that is elsewhere was pushed: %.100q", out)
	}
	c.run(t, "push", "--allow-nondistributable-artifacts", dir, c.address+"/team/with:v1")
	c.run(t, "blob", c.address+"/team/with@"+layer)
}

// crane is the program at a registry.
type crane struct {
	program, home, address string
}

func newCrane(t *testing.T, w way) crane {
	t.Helper()
	program, err := newAssets(t).Crane(t.Context())
	must(t, err)
	home := newHome(t)
	return crane{program: program, home: home, address: w.serve(t, home)}
}

func (c crane) run(t *testing.T, arguments ...string) string {
	t.Helper()
	return strings.TrimSpace(run(t, c.home, append([]string{c.program}, arguments...)...))
}

func (c crane) says(t *testing.T, want string, arguments ...string) {
	t.Helper()
	if got := c.run(t, arguments...); got != want {
		t.Errorf("crane %s says %q, want %q", strings.Join(arguments, " "), got, want)
	}
}
