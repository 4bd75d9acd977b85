package certsd

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// last reconciles with all hosts lasting.
func (n node) last(desired map[string]Files) Result {
	n.tb.Helper()
	result, err := n.directory().Reconcile(Desired{Hosts: desired, Lasting: keys(desired)})
	if err != nil {
		n.tb.Fatalf("Reconcile: %v", err)
	}
	return result
}

func keys(desired map[string]Files) []string {
	var names []string
	for name := range desired {
		names = append(names, name)
	}
	return names
}

func TestLastingHostsOutliveAReboot(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	lasting, other := hosts("one", "docker.io", "h:5000", "[fd00::1]:5000"), hosts("one", "quay.io")
	all := with(lasting, other)
	reconcile := func() Result {
		result, err := n.directory().Reconcile(Desired{Hosts: all, Lasting: keys(lasting)})
		if err != nil || len(result.Failed) > 0 {
			t.Fatalf("%+v, %v", result, err)
		}
		return result
	}
	reconcile()
	n.mustSee(all)
	n.mustKeepSecrets("h_5000_")
	_ = os.RemoveAll(n.run)
	n.mustSee(lasting)
	if got := n.sees("quay.io"); got != nil {
		t.Errorf("a host that is not lasting has %q", got)
	}
	if diff := cmp.Diff([]string{"quay.io"}, reconcile().Written); diff != "" {
		t.Errorf("written after a reboot (-want +got):\n%s", diff)
	}
	before := n.tree()
	reconcile()
	if diff := cmp.Diff(before, n.tree()); diff != "" {
		t.Errorf("a pass with nothing to do moved something (-before +after):\n%s", diff)
	}
}

func TestNothingIsLeftOfLastingHosts(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(n node){
		"withdrawn":         func(n node) { n.reconcile(nil); n.reconcile(nil) },
		"the node restored": func(n node) { _ = n.directory().Restore() },
		"restored though somebody removed their files": func(n node) {
			_ = os.RemoveAll(filepath.Join(n.certs, lastingName))
			_ = n.directory().Restore()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := newNode(t)
			n.last(hosts("one", "docker.io", "h:5000"))
			n.last(hosts("two", "docker.io", "h:5000"))
			end(n)
			if got := n.names(n.certs); len(got) > 0 {
				t.Errorf("the certs directory holds %q", got)
			}
		})
	}
}

func TestLastingHostsAreRepaired(t *testing.T) {
	t.Parallel()
	desired := hosts("one", "docker.io", "h:5000")
	for name, damage := range map[string]func(n node){
		"a file edited":   func(n node) { n.write(filepath.Join(n.certs, "docker.io/hosts.toml"), "server = 1") },
		"a link removed":  func(n node) { _ = os.Remove(filepath.Join(n.certs, "docker.io")) },
		"files removed":   func(n node) { _ = os.RemoveAll(filepath.Join(n.certs, lastingName)) },
		"all removed":     func(n node) { _ = os.RemoveAll(n.certs) },
		"not lasting now": func(n node) { n.reconcile(desired) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := newNode(t)
			n.last(desired)
			damage(n)
			if result := n.last(desired); len(result.Failed) > 0 {
				t.Errorf("%+v", result)
			}
			_ = os.RemoveAll(n.run)
			n.mustSee(desired)
		})
	}
}

func TestAForeignDirectoryOfALastingHostIsLeftAlone(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	theirs := n.theirs("docker.io", "theirs")
	result := n.last(hosts("one", "docker.io"))
	var foreign *ForeignError
	if !errors.As(result.Failed["docker.io"], &foreign) {
		t.Errorf("%+v", result)
	}
	n.mustSee(map[string]Files{"docker.io": theirs})
}

// TestALastingHostIsWholeWhereverTheAgentStops stops the ways in, between and out at each of their steps.
func TestALastingHostIsWholeWhereverTheAgentStops(t *testing.T) {
	t.Parallel()
	one, two := hosts("one", "h:5000"), hosts("two", "h:5000")
	two["h:5000"]["ca.pem"] = []byte("a second file")
	for name, tc := range map[string]struct {
		setUp    func(n node)
		old, new map[string]Files
		lasting  bool
	}{
		"the first pass ever":         {func(node) {}, nil, one, true},
		"from not lasting":            {func(n node) { n.reconcile(one) }, one, two, true},
		"from not lasting, same text": {func(n node) { n.reconcile(one) }, one, one, true},
		"to not lasting":              {func(n node) { n.last(one) }, one, two, false},
		"a change":                    {func(n node) { n.last(one) }, one, two, true},
		"withdrawn":                   {func(n node) { n.last(one) }, one, nil, true},
		"after a reboot":              {func(n node) { n.last(one); _ = os.RemoveAll(n.run) }, one, two, true},
	} {
		for kind, disk := range kinds {
			t.Run(name+", "+kind, func(t *testing.T) {
				t.Parallel()
				stopEverywhere(t, tc.setUp, disk, tc.old, tc.new, func(d *Directory) error {
					var lasting []string
					if tc.lasting {
						lasting = keys(tc.new)
					}
					result, err := d.Reconcile(Desired{Hosts: tc.new, Lasting: lasting})
					return errors.Join(err, result.Unswept, errors.Join(values(result.Failed)...))
				})
			})
		}
	}
}

// Until a switch is done, and after it, no reboot may leave a host that is to last without its files.
func TestALastingHostSurvivesARebootAtAnyStepOfAChange(t *testing.T) {
	t.Parallel()
	one, two := hosts("one", "docker.io"), hosts("two", "docker.io")
	for at := 1; ; at++ {
		n := newNode(t)
		n.last(one)
		stopping := &stoppingDisk{stopAt: at}
		d := n.directory()
		d.disk = stopping
		_, _ = d.Reconcile(Desired{Hosts: two, Lasting: []string{"docker.io"}})
		_ = os.RemoveAll(n.run)
		n.mustBeWhole("after a reboot", one, two)
		if n.sees("docker.io") == nil {
			t.Errorf("stopped at step %d: a reboot leaves nothing", at)
		}
		if stopping.steps < at {
			return
		}
	}
}

func TestRestoreOfLastingHostsStopsAnywhere(t *testing.T) {
	t.Parallel()
	one := hosts("one", "docker.io")
	for kind, disk := range kinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			stopEverywhere(t, func(n node) { n.last(one) }, disk, one, nil, (*Directory).Restore)
		})
	}
}
