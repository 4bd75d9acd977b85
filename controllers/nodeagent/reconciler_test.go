package nodeagent

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/registryhub/registryhub/api/v1alpha1"
	"github.com/registryhub/registryhub/controllers/nodeagent/certsd"
)

func TestAHubIsWiredAndReportedOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t, configMap(t, configuration(12, hub("docker-io", "docker.io"))), ownNode(nil), ownMirror())
	if err := b.keeper.ready(nil); err == nil {
		t.Error("ready before the first pass")
	}
	for range 3 {
		b.mustPass()
	}
	if err := b.keeper.ready(nil); err != nil {
		t.Errorf("not ready after a pass: %v", err)
	}
	if got := b.hosts(); !cmp.Equal(got, []string{"docker.io"}) {
		t.Errorf("hosts %q", got)
	}
	data, err := os.ReadFile(filepath.Join(b.certs, "docker.io/hosts.toml"))
	if err != nil || !strings.Contains(string(data), `hub "docker-io", revision 3`) {
		t.Errorf("hosts.toml: %v\n%s", err, data)
	}
	if diff := cmp.Diff(v1alpha1.NodeMirrorStatus{Revision: 12}, b.status()); diff != "" {
		t.Errorf("status (-want +got):\n%s", diff)
	}
	if b.patches != 1 {
		t.Errorf("%d writes to the API server, want 1", b.patches)
	}
}

func TestHubsComeChangeAndGo(t *testing.T) {
	t.Parallel()
	b := newBench(t, configMap(t, configuration(1)), ownNode(nil), ownMirror())
	b.mustPass()
	for revision, tc := range []struct {
		hubs []string
		want []string
	}{
		{[]string{"docker.io", "h:5000"}, []string{"docker.io", "h_5000_"}},
		{[]string{"h:5000"}, []string{"h_5000_"}},
		{nil, []string{}},
	} {
		c := configuration(int64(revision) + 2)
		for _, host := range tc.hubs {
			c.Hubs = append(c.Hubs, hub("hub-of-"+host, host))
		}
		b.configure(c)
		b.mustPass()
		if got := b.hosts(); !cmp.Equal(got, tc.want) {
			t.Errorf("hosts %q, want %q", got, tc.want)
		}
		if got := b.status().Revision; got != c.Revision {
			t.Errorf("revision %d, want %d", got, c.Revision)
		}
	}
}

func TestANodeFollowsItsLabels(t *testing.T) {
	t.Parallel()
	selected := onNodes(hub("gpu", "nvcr.io"), map[string]string{"gpu": "yes"})
	b := newBench(t, configMap(t, configuration(1, selected)), ownNode(nil), ownMirror())
	for _, tc := range []struct {
		labels map[string]string
		want   []string
	}{
		{nil, []string{}}, {map[string]string{"gpu": "yes"}, []string{"nvcr.io"}}, {map[string]string{"gpu": "no"}, []string{}},
	} {
		b.update(ownNode(tc.labels))
		b.mustPass()
		if got := b.hosts(); !cmp.Equal(got, tc.want) {
			t.Errorf("with labels %v: hosts %q, want %q", tc.labels, got, tc.want)
		}
	}
}

func TestANodeFollowsItsRuntime(t *testing.T) {
	t.Parallel()
	b := newBench(t, configMap(t, configuration(1, hub("a", "x.io"))), ownNode(nil), ownMirror())
	for _, tc := range []struct {
		version   string
		referrers bool
	}{{"", false}, {"containerd://2.4.2", true}, {"containerd://Unknown", true}, {"containerd://2.1.9", false}, {"containerd://Unknown", false}} {
		node := ownNode(nil)
		node.Status.NodeInfo.ContainerRuntimeVersion = tc.version
		if err := b.api.Status().Update(t.Context(), node); err != nil {
			t.Fatal(err)
		}
		b.mustPass()
		data, err := os.ReadFile(filepath.Join(b.certs, "x.io/hosts.toml"))
		if err != nil || strings.Contains(string(data), "referrers") != tc.referrers {
			t.Errorf("with %q: error %v\n%s", tc.version, err, data)
		}
	}
	b.restart()
	b.keeper.pass()
	if got := b.keeper.outcome().wired.files["x.io"]["hosts.toml"]; strings.Contains(string(got), "referrers") {
		t.Errorf("after a restart:\n%s", got)
	}
}

func TestNothingIsWithdrawnBecauseAnObjectIsMissing(t *testing.T) {
	t.Parallel()
	c := configMap(t, configuration(5, hub("docker-io", "docker.io")))
	for name, remove := range map[string]func(b *bench){
		"the configuration": func(b *bench) { b.delete(c) },
		"the Node":          func(b *bench) { b.delete(ownNode(nil)) },
		"the NodeMirror":    func(b *bench) { b.delete(ownMirror()) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, c.DeepCopy(), ownNode(nil), ownMirror())
			b.mustPass()
			remove(b)
			// Repairs go on with what was known last.
			if err := os.Remove(filepath.Join(b.certs, "docker.io")); err != nil {
				t.Fatal(err)
			}
			b.mustPass()
			if got := b.hosts(); !cmp.Equal(got, []string{"docker.io"}) {
				t.Errorf("hosts %q", got)
			}
		})
	}
}

func TestAnAgentThatKnowsNothingTouchesNothing(t *testing.T) {
	t.Parallel()
	before := newBench(t, configMap(t, configuration(5, hub("docker-io", "docker.io"))), ownNode(nil), ownMirror())
	before.mustPass()
	for name, tc := range map[string]struct {
		b     *bench
		ready bool
	}{
		"no object at all":                {newBench(t), true},
		"no configuration":                {newBench(t, ownNode(nil), ownMirror()), true},
		"no Node":                         {newBench(t, configMap(t, configuration(6)), ownMirror()), false},
		"a configuration nobody can read": {newBench(t, textMap("hubs: ["), ownNode(nil), ownMirror()), false},
	} {
		t.Run(name, func(t *testing.T) {
			tc.b.keeper.files, tc.b.certs = before.keeper.files, before.certs
			tc.b.mustPass()
			if got := tc.b.hosts(); !cmp.Equal(got, []string{"docker.io"}) {
				t.Errorf("hosts %q", got)
			}
			if tc.b.patches != 0 {
				t.Errorf("%d writes to the API server", tc.b.patches)
			}
			if got := tc.b.keeper.ready(nil) == nil; got != tc.ready {
				t.Errorf("ready %v, want %v", got, tc.ready)
			}
		})
	}
}

func TestABadConfigurationLeavesTheOldOneInForceAndIsToldOnce(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"not YAML":          "hubs: [",
		"a field not known": "apiVersion: config.registryhub.io/v1alpha1\nkind: NodeConfiguration\nrevision: 6\nnew: 1\n",
		"another kind":      "apiVersion: config.registryhub.io/v1alpha1\nkind: ProxyConfiguration\nhub: x\n",
		"empty":             "",
		"without a kind":    "revision: 6\nhubs: []\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, configMap(t, configuration(5, hub("docker-io", "docker.io"))), ownNode(nil), ownMirror())
			b.mustPass()
			b.update(textMap(text))
			b.logged = nil
			for range 3 {
				b.mustPass()
			}
			if len(b.logged) != 1 || !strings.Contains(b.logged[0], "stays in force") {
				t.Errorf("logged %q, want one error", b.logged)
			}
			if got := b.hosts(); !cmp.Equal(got, []string{"docker.io"}) || b.status().Revision != 5 || b.patches != 1 {
				t.Errorf("hosts %q, revision %d, %d writes", got, b.status().Revision, b.patches)
			}
			b.configure(configuration(7))
			b.mustPass()
			if got := b.hosts(); len(got) != 0 || b.status().Revision != 7 {
				t.Errorf("after a good one: hosts %q, revision %d", got, b.status().Revision)
			}
		})
	}
}

func TestAForeignHostIsReportedOnceAndTakenWhenItIsGone(t *testing.T) {
	t.Parallel()
	b := newBench(t, configMap(t, configuration(5, hub("docker-io", "docker.io", "quay.io"))), ownNode(nil), ownMirror())
	foreign := filepath.Join(b.certs, "docker.io")
	if err := os.MkdirAll(foreign, 0o755); err != nil {
		t.Fatal(err)
	}
	b.mustPass()
	b.mustPass()
	want := v1alpha1.NodeMirrorStatus{Revision: 5, Exceptions: []v1alpha1.NodeException{{
		Hub: "docker-io", Host: "docker.io", Reason: v1alpha1.NodeReasonForeignHostsFile,
		Message: (&certsd.ForeignError{Host: "docker.io", Path: foreign, What: "a directory"}).Error(),
	}}}
	if diff := cmp.Diff(want, b.status()); diff != "" || b.patches != 1 {
		t.Errorf("%d writes, status (-want +got):\n%s", b.patches, diff)
	}
	if err := os.Remove(foreign); err != nil {
		t.Fatal(err)
	}
	b.mustPass()
	if diff := cmp.Diff(v1alpha1.NodeMirrorStatus{Revision: 5}, b.status()); diff != "" {
		t.Errorf("after it is gone (-want +got):\n%s", diff)
	}
}

func TestARevisionThatIsNotInForceIsNotReported(t *testing.T) {
	t.Parallel()
	b := newBench(t, configMap(t, configuration(5, hub("docker-io", "docker.io"))), ownNode(nil), ownMirror())
	b.mustPass()
	working := b.keeper.files
	b.keeper.files = brokenFiles{}
	b.configure(configuration(6, hub("docker-io", "docker.io")))
	for range 2 {
		if err := b.pass(); !errors.Is(err, errBroken) {
			t.Errorf("a pass: %v, want %v", err, errBroken)
		}
	}
	want := v1alpha1.NodeMirrorStatus{Revision: 5, Exceptions: []v1alpha1.NodeException{{
		Hub: "docker-io", Host: "docker.io", Reason: v1alpha1.NodeReasonWriteFailed, Message: errBroken.Error(),
	}}}
	if diff := cmp.Diff(want, b.status()); diff != "" || b.patches != 2 {
		t.Errorf("%d writes, status (-want +got):\n%s", b.patches, diff)
	}
	b.keeper.files = working
	b.mustPass()
	if diff := cmp.Diff(v1alpha1.NodeMirrorStatus{Revision: 6}, b.status()); diff != "" {
		t.Errorf("after it works again (-want +got):\n%s", diff)
	}
}

var errBroken = errors.New("read-only file system")

type brokenFiles struct{}

func (brokenFiles) Reconcile(desired certsd.Desired) (certsd.Result, error) {
	failed := map[string]error{}
	for host := range desired.Hosts {
		failed[host] = errBroken
	}
	return certsd.Result{Failed: failed}, errBroken
}

func (brokenFiles) Path(host string) string { return host }

func (brokenFiles) Held(string) (certsd.Files, error) { return nil, errBroken }

func (brokenFiles) Restore() error { return errBroken }

func TestRepairsGoOnWithoutTheAPIServer(t *testing.T) {
	t.Parallel()
	b := newBench(t, configMap(t, configuration(5, hub("docker-io", "docker.io"))), ownNode(nil), ownMirror())
	b.patchErr = errors.New("connection refused")
	for range 2 {
		if err := b.pass(); !errors.Is(err, b.patchErr) {
			t.Errorf("a pass: %v, want the report's error, so that it is tried again", err)
		}
		if got := b.hosts(); !cmp.Equal(got, []string{"docker.io"}) {
			t.Errorf("hosts %q", got)
		}
		if err := os.Remove(filepath.Join(b.certs, "docker.io")); err != nil {
			t.Fatal(err)
		}
	}
	b.patchErr = nil
	b.mustPass()
	if got := b.status().Revision; got != 5 {
		t.Errorf("revision %d after the API server is back", got)
	}
}

func TestANodeMirrorThatIsNotThereYetIsAwaitedInSilence(t *testing.T) {
	t.Parallel()
	b := newBench(t, configMap(t, configuration(5)), ownNode(nil))
	b.mustPass()
	if b.patches != 0 || len(b.logged) != 0 {
		t.Errorf("%d writes, logged %q", b.patches, b.logged)
	}
	if err := b.api.Create(t.Context(), ownMirror()); err != nil {
		t.Fatal(err)
	}
	b.mustPass()
	if got := b.status().Revision; got != 5 {
		t.Errorf("revision %d", got)
	}
}
