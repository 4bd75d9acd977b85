package nodeagent

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/labels"

	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/api/v1alpha1"
	"github.com/registryhub/registryhub/controllers/nodeagent/certsd"
)

func TestWire(t *testing.T) {
	t.Parallel()
	gpu := map[string]string{"gpu": "yes"}
	for name, tc := range map[string]struct {
		hubs []configv1alpha1.NodeHub
		node labels.Set
		want map[string]string
	}{
		"no hub":                          {nil, nil, map[string]string{}},
		"a hub for every node":            {hubs(hub("a", "x.io", "y.io")), nil, map[string]string{"x.io": "a", "y.io": "a"}},
		"a hub for other nodes":           {hubs(onNodes(hub("a", "x.io"), gpu)), nil, map[string]string{}},
		"a hub for this node":             {hubs(onNodes(hub("a", "x.io"), gpu)), gpu, map[string]string{"x.io": "a"}},
		"a host twice: the first has it":  {hubs(hub("old", "x.io"), hub("new", "x.io", "y.io")), nil, map[string]string{"x.io": "old", "y.io": "new"}},
		"the first is not for this node":  {hubs(onNodes(hub("old", "x.io"), gpu), hub("new", "x.io")), nil, map[string]string{"x.io": "new"}},
		"a host twice in one hub":         {hubs(hub("a", "x.io", "x.io")), nil, map[string]string{"x.io": "a"}},
		"an empty selector is every node": {hubs(onNodes(hub("a", "x.io"), nil)), gpu, map[string]string{"x.io": "a"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := wire(defaulted(tc.hubs), tc.node, tlsPaths{}, syntax{})
			if diff := cmp.Diff(tc.want, w.hubs); diff != "" {
				t.Errorf("hubs (-want +got):\n%s", diff)
			}
			if got, want := slices.Sorted(maps.Keys(w.files)), slices.Sorted(maps.Keys(tc.want)); !slices.Equal(got, want) {
				t.Errorf("files of %q, want %q", got, want)
			}
			for host, files := range w.files {
				if mark := fmt.Sprintf("hub %q", tc.want[host]); !strings.Contains(string(files["hosts.toml"]), mark) {
					t.Errorf("%s: no %s in\n%s", host, mark, files["hosts.toml"])
				}
			}
		})
	}
}

func TestFilesAreWrittenAsTheRuntimeUnderstandsThem(t *testing.T) {
	t.Parallel()
	const table, line, referrers = "[host.\"http://[fd00::7]:5000\"]", "\"http://[fd00::7]:5000\" = {", "\"referrers\""
	for version, want := range map[string][]string{
		"containerd://1.6.20~ds1": {line},
		"containerd://1.7.35":     {line},
		"containerd://2.0.5":      {table},
		"containerd://2.1.5-k3s1": {table},
		"containerd://2.2.0":      {table, referrers},
		"containerd://2.4.2":      {table, referrers},
		"containerd://a-fork":     {table},
		"cri-o://3.0.0":           {table},
		"":                        {table},
	} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			entry := hub("a", "x.io")
			entry.Endpoint = "http://[fd00::7]:5000"
			file := string(wire(defaulted(hubs(entry)), nil, tlsPaths{}, syntaxOf(version)).files["x.io"]["hosts.toml"])
			for _, part := range []string{table, line, referrers} {
				if got := strings.Contains(file, part); got != slices.Contains(want, part) {
					t.Errorf("%s is there: %t\n%s", part, got, file)
				}
			}
		})
	}
}

func TestANameFor1xStaysATable(t *testing.T) {
	t.Parallel()
	file := string(wire(defaulted(hubs(hub("a", "x.io"))), nil, tlsPaths{}, syntaxOf("containerd://1.6.20")).files["x.io"]["hosts.toml"])
	if !strings.Contains(file, "[host.\"") {
		t.Errorf("no table in\n%s", file)
	}
}

func defaulted(hubs []configv1alpha1.NodeHub) *configv1alpha1.NodeConfiguration {
	c := &configv1alpha1.NodeConfiguration{Hubs: hubs}
	c.Default()
	return c
}

func hubs(all ...configv1alpha1.NodeHub) []configv1alpha1.NodeHub { return all }

func TestAnEndpointThatContainerdWouldMisreadIsAnException(t *testing.T) {
	t.Parallel()
	bad := hub("a", "x.io")
	bad.Endpoint = "http://10.96.31.7:5000/"
	w := wire(defaulted(hubs(bad, hub("b", "y.io"))), nil, tlsPaths{}, syntax{})
	if _, there := w.files["x.io"]; there || len(w.files) != 1 {
		t.Errorf("files %v", w.files)
	}
	got := w.exceptions(nil)
	if len(got) != 1 || got[0].Hub != "a" || got[0].Reason != v1alpha1.NodeReasonWriteFailed || !strings.Contains(got[0].Message, "final slash") {
		t.Errorf("exceptions %+v", got)
	}
}

func TestExceptionsAreSortedAndBounded(t *testing.T) {
	t.Parallel()
	w := wiring{hubs: map[string]string{}}
	failed := map[string]error{}
	for i := range 100 {
		host := fmt.Sprintf("h%02d", i)
		w.hubs[host] = []string{"b", "a"}[i%2]
		failed[host] = errors.New(strings.Repeat("ä", 2000))
	}
	failed["h03"] = fmt.Errorf("wrapped: %w", &certsd.ForeignError{Host: "h03"})
	got := w.exceptions(failed)
	if len(got) != maxExceptions {
		t.Errorf("%d exceptions, want %d", len(got), maxExceptions)
	}
	if got[0].Hub != "a" || got[0].Host != "h01" || got[50].Hub != "b" || got[50].Host != "h00" {
		t.Errorf("not sorted: %v, %v", got[0].Host, got[50].Host)
	}
	if length := len([]rune(got[0].Message)); length != maxMessage {
		t.Errorf("a message of %d characters", length)
	}
	if got[1].Reason != v1alpha1.NodeReasonForeignHostsFile {
		t.Errorf("reason %q of a wrapped ForeignError", got[1].Reason)
	}
}
