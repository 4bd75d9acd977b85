package oracles

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"

	"github.com/registryhub/registryhub/controllers/nodeagent/certsd"
)

const (
	other    = "http://10.96.31.8:5000"
	upstream = "https://registry-1.docker.io/v2"
)

// TestAChangeBetweenFindingAndReadingFailsNoPull: containerd looks for the directory first and reads it then.
func TestAChangeBetweenFindingAndReadingFailsNoPull(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		change func(n node)
		want   []string
	}{
		"swapped":            {func(n node) { n.wire(other, "docker.io") }, []string{other + "/v2", upstream}},
		"swapped and swept":  {func(n node) { n.wire(other, "docker.io"); n.wire(other, "docker.io") }, []string{other + "/v2", upstream}},
		"withdrawn":          {func(n node) { n.wire(hub) }, []string{upstream}},
		"withdrawn and gone": {func(n node) { n.restore() }, []string{upstream}},
		"wired anew":         {func(n node) { n.restore(); n.wire(other, "docker.io") }, []string{other + "/v2", upstream}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onEach(t, func(n node) {
				n.wire(hub, "docker.io")
				got, err := n.containerd.endpoints(n.t.Context(), "docker.io", lookup{certs: n.certs, found: func() { tc.change(n) }})
				if err != nil || !slices.Equal(urlsOf(got), tc.want) {
					n.t.Errorf("tries %v (%v), want %v", urlsOf(got), err, tc.want)
				}
			})
		})
	}
}

// TestPullsDuringSwapsTryAHubAndTheUpstream lets containerd read as fast as it can while the agent writes as fast as
// it can.
func TestPullsDuringSwapsTryAHubAndTheUpstream(t *testing.T) {
	t.Parallel()
	onEach(t, func(n node) {
		n.wire(hub, "docker.io")
		var all errgroup.Group
		done := make(chan struct{})
		all.Go(func() error {
			defer close(done)
			for i := range 200 {
				n.wire([]string{hub, other}[i%2], "docker.io")
			}
			return nil
		})
		for range 2 {
			all.Go(func() error {
				for {
					select {
					case <-done:
						return nil
					default:
					}
					got := urlsOf(n.endpoints("docker.io"))
					if len(got) == 0 || got[len(got)-1] != upstream || len(got) > 2 {
						n.t.Errorf("tries %v", got)
					}
				}
			})
		}
		_ = all.Wait()
	})
}

// TestACAThatIsNamedThroughTheLinkCanBeSwappedAway: one rename swaps file and CA together only for who reads both
// after it. containerd reads hosts.toml and then each CA by its path, so a CA named relative to the link is looked
// for in the new directory. The path of the generation itself, kept for a while, has no such moment.
func TestACAThatIsNamedThroughTheLinkCanBeSwappedAway(t *testing.T) {
	t.Parallel()
	ca := certificate(t)
	file := func(path string) []byte {
		return []byte("[host.\"https://hub.example.com\"]\n  ca = \"" + path + "\"\n")
	}
	for name, tc := range map[string]struct {
		path  func(n node) string
		fails bool
	}{
		"relative":           {func(node) string { return "one.pem" }, true},
		"in the certs.d":     {func(n node) string { return filepath.Join(n.certs, "docker.io", "one.pem") }, true},
		"in the generation":  {func(n node) string { return filepath.Join(n.run, "1", "docker.io", "one.pem") }, false},
		"relative, one name": {func(node) string { return "ca.pem" }, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onEach(t, func(n node) {
				path := tc.path(n)
				n.reconcile(map[string]certsd.Files{"docker.io": {"hosts.toml": file(path), "one.pem": ca, "ca.pem": ca}})
				got, err := n.containerd.endpoints(n.t.Context(), "docker.io", lookup{certs: n.certs, read: func() {
					n.reconcile(map[string]certsd.Files{"docker.io": {"hosts.toml": file("two.pem"), "two.pem": ca, "ca.pem": ca}})
				}})
				if (err != nil) != tc.fails {
					n.t.Errorf("tries %v, error %v; want an error: %v", urlsOf(got), err, tc.fails)
				}
			})
		})
	}
}

// TestAReaderOfTheOldGenerationLosesOnlyTheMirror: who has followed the link before the swap, and is so slow that the
// old files are swept, goes to the upstream.
func TestAReaderOfTheOldGenerationLosesOnlyTheMirror(t *testing.T) {
	t.Parallel()
	onEach(t, func(n node) {
		n.wire(hub, "docker.io")
		// The reader's own view of the link, as it was.
		slow := node{t: n.t, containerd: n.containerd, certs: n.t.TempDir(), run: n.run}
		target, err := os.Readlink(filepath.Join(n.certs, "docker.io"))
		if err != nil {
			n.t.Fatal(err)
		}
		if err := os.Symlink(target, filepath.Join(slow.certs, "docker.io")); err != nil {
			n.t.Fatal(err)
		}
		got, err := n.containerd.endpoints(n.t.Context(), "docker.io", lookup{certs: slow.certs, found: func() {
			n.wire(other, "docker.io")
			n.wire(other, "docker.io")
		}})
		if err != nil || !cmp.Equal(urlsOf(got), []string{upstream}) {
			n.t.Errorf("tries %v, error %v", urlsOf(got), err)
		}
	})
}
