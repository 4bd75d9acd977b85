package clients

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/registryhub/registryhub/test/containerd"
)

// TestContainerdPushesAndPulls has one containerd push and another one pull what it has not.
func TestContainerdPushesAndPulls(t *testing.T) {
	for name, tc := range map[string]struct {
		release string
		// flags of both.
		flags []string
	}{
		"containerd 1.6":                      {release: "1.6"},
		"containerd 2.4, its transfers":       {release: "2.4"},
		"containerd 2.4, ctr's own resolvers": {release: "2.4", flags: []string{"--local"}},
	} {
		t.Run(name, func(t *testing.T) {
			pushes, pulls := containerd.Start(t, tc.release), containerd.Start(t, tc.release)
			dir, _ := index(t)
			must(t, pushes.Ctr(t.Context(), "images", "import", "--all-platforms", "--no-unpack", "--base-name", "index", pack(t, dir)))
			for name, w := range ways {
				t.Run(name, func(t *testing.T) {
					home := newHome(t)
					address := w.serve(t, home)
					ref := address + "/team/app:v1"
					flags := append(slices.Clone(tc.flags), "--hosts-dir", hosts(t, home, address, w))
					push := append([]string{"images", "push"}, flags...)
					if !w.anyone {
						if err := pushes.Ctr(t.Context(), append(push, ref, "index:v1")...); err == nil {
							t.Error("anyone pushes to a registry of users")
						}
						flags = append(flags, "--user", user+":"+password)
					}
					push = append([]string{"images", "push"}, flags...)
					must(t, pushes.Ctr(t.Context(), append(push, ref, "index:v1")...))
					must(t, pulls.Ctr(t.Context(), append(append([]string{"images", "pull", "--all-platforms", "--snapshotter", "native"}, flags...), ref)...))
					holds(t, pulls, dir, true)
					must(t, pulls.Ctr(t.Context(), "images", "rm", "--sync", ref))
					holds(t, pulls, dir, false)
				})
			}
		})
	}
}

// holds checks that a containerd has all that is in a layout, or nothing of it.
func holds(t *testing.T, d *containerd.Daemon, dir string, want bool) {
	t.Helper()
	blobs, err := os.ReadDir(filepath.Join(dir, "blobs", "sha256"))
	must(t, err)
	for _, blob := range blobs {
		if _, err := os.Stat(filepath.Join(d.Content, "blobs", "sha256", blob.Name())); (err == nil) != want {
			t.Errorf("%s: %v, want that it is there: %v", blob.Name(), err, want)
		}
	}
}

// hosts leads a containerd to a registry as its administrator would, and returns the directory of its hosts.
func hosts(t *testing.T, home, address string, w way) string {
	t.Helper()
	folder := filepath.Join(home, "certs.d", address)
	must(t, os.MkdirAll(folder, 0o700))
	text := fmt.Sprintf("[host.%q]\ncapabilities = [\"pull\", \"resolve\", \"push\"]\n", w.scheme()+"://"+address)
	if w.tls {
		text += fmt.Sprintf("ca = %q\n", authorityIn(home))
	}
	must(t, os.WriteFile(filepath.Join(folder, "hosts.toml"), []byte(text), 0o600))
	return filepath.Dir(folder)
}
