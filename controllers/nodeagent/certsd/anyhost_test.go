package certsd

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// elsewhere makes directories of hosts that containerd looks for after the certs directory, and says where they are.
func (n node) elsewhere(hosts ...string) map[string]string {
	n.tb.Helper()
	found := map[string]string{}
	for _, host := range hosts {
		found[host] = filepath.Join(filepath.Dir(n.certs), "docker", host)
		n.write(filepath.Join(found[host], "ca.crt"), "of "+host)
	}
	return found
}

func (n node) reconcileBeside(elsewhere map[string]string, desired map[string]Files) Result {
	n.tb.Helper()
	result, err := n.directory().Reconcile(Desired{Hosts: desired, Elsewhere: elsewhere})
	if err != nil {
		n.tb.Fatalf("ReconcileBeside: %v", err)
	}
	return result
}

// finds is what containerd finds for a host, in the certs directory and then elsewhere.
func (n node) finds(host string, elsewhere map[string]string) Files {
	n.tb.Helper()
	if found := n.sees(host); found != nil {
		return found
	}
	if found := n.sees(AnyHost); found != nil {
		return found
	}
	if elsewhere[host] == "" {
		return nil
	}
	return readFiles(n.tb, elsewhere[host])
}

func (n node) mustFind(when string, elsewhere map[string]string, want map[string]Files) {
	n.tb.Helper()
	for host, files := range want {
		if diff := cmp.Diff(files, n.finds(host, elsewhere), cmpopts.EquateEmpty()); diff != "" {
			n.tb.Errorf("%s: %s (-want +got):\n%s", when, host, diff)
		}
	}
}

func theirsOf(host string) Files { return Files{"ca.crt": []byte("of " + host)} }

func TestEveryHostWithoutADirectoryHasThatOfAnyHost(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	desired := hosts("one", AnyHost, "docker.io")
	n.reconcile(desired)
	if got := n.names(n.certs); !cmp.Equal(got, []string{"_default", "docker.io"}) {
		t.Errorf("the certs directory holds %q", got)
	}
	n.mustFind("wired", nil, map[string]Files{"docker.io": desired["docker.io"], "quay.io": desired[AnyHost], "h:5000": desired[AnyHost]})
	held, err := n.directory().Held(AnyHost)
	if diff := cmp.Diff(desired[AnyHost], held); diff != "" || err != nil {
		t.Errorf("held (-want +got), %v:\n%s", err, diff)
	}
	if result := n.reconcile(hosts("one", AnyHost)); !cmp.Equal(result.Withdrawn, []string{"docker.io"}) {
		t.Errorf("withdrawn %q", result.Withdrawn)
	}
	n.mustFind("withdrawn", nil, map[string]Files{"docker.io": desired[AnyHost]})
	n.reconcile(nil)
	n.reconcile(nil)
	n.mustBeTidy(nil)
}

func TestWhatAnyHostWouldHideStaysInForce(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	elsewhere := n.elsewhere("corp.example", "corp.example:5000", "theirs.io", "own.io")
	n.write(filepath.Join(n.certs, "theirs.io/hosts.toml"), "theirs")
	n.write(filepath.Join(n.certs, "more.io_5000_/hosts.toml"), "theirs too")
	desired := hosts("one", AnyHost, "own.io")
	want := map[string]Files{
		"corp.example": theirsOf("corp.example"), "corp.example:5000": theirsOf("corp.example:5000"),
		"theirs.io": {"hosts.toml": []byte("theirs")}, "own.io": desired["own.io"], "quay.io": desired[AnyHost],
	}
	for _, when := range []string{"at first", "again"} {
		result := n.reconcileBeside(elsewhere, desired)
		n.mustFind(when, elsewhere, want)
		if len(result.Failed) > 0 || when == "again" && len(result.Written) > 0 {
			t.Errorf("%s: %+v", when, result)
		}
		wantTheirs := map[string]string{"theirs.io": filepath.Join(n.certs, "theirs.io"), "more.io:5000": filepath.Join(n.certs, "more.io_5000_")}
		if diff := cmp.Diff(wantTheirs, result.Theirs); diff != "" {
			t.Errorf("%s: theirs (-want +got):\n%s", when, diff)
		}
	}
	n.write(filepath.Join(elsewhere["corp.example"], "hosts.toml"), "edited")
	want["corp.example"]["hosts.toml"] = []byte("edited")
	n.mustFind("edited where it is", elsewhere, want)

	n.reconcileBeside(elsewhere, hosts("one", AnyHost))
	want["own.io"] = theirsOf("own.io")
	n.mustFind("without an own host", elsewhere, want)
	delete(elsewhere, "corp.example:5000")
	want["corp.example:5000"] = desired[AnyHost]
	n.reconcileBeside(elsewhere, hosts("one", AnyHost))
	n.mustFind("without a directory", elsewhere, want)

	for when, remove := range map[string]func(){
		"withdrawn": func() { n.reconcileBeside(elsewhere, nil) },
		"restored": func() {
			if err := n.directory().Restore(); err != nil {
				t.Error(err)
			}
		},
	} {
		n.reconcileBeside(elsewhere, desired)
		remove()
		if got := n.names(n.certs); !cmp.Equal(got, []string{"more.io_5000_", "theirs.io"}) {
			t.Errorf("%s: the certs directory holds %q", when, got)
		}
		n.mustFind(when, elsewhere, map[string]Files{"corp.example": want["corp.example"], "quay.io": nil})
	}
}

func TestNothingIsLinkedWithoutAnyHost(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	n.reconcileBeside(n.elsewhere("corp.example"), hosts("one", "docker.io"))
	if got := n.names(n.certs); !cmp.Equal(got, []string{"docker.io"}) {
		t.Errorf("the certs directory holds %q", got)
	}
}

func TestAForeignDefaultIsLeftAlone(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	n.write(filepath.Join(n.certs, "_default/hosts.toml"), "theirs")
	result := n.reconcileBeside(n.elsewhere("corp.example"), hosts("one", AnyHost))
	if _, foreign := errors.AsType[*ForeignError](result.Failed[AnyHost]); !foreign {
		t.Errorf("failed: %v", result.Failed)
	}
	if got := n.names(n.certs); !cmp.Equal(got, []string{"_default"}) {
		t.Errorf("the certs directory holds %q", got)
	}
}

// TestNothingIsHiddenWhereverTheAgentStops stops passes that come and go with the host for all others at each of their steps.
func TestNothingIsHiddenWhereverTheAgentStops(t *testing.T) {
	t.Parallel()
	star, own := hosts("one", AnyHost), hosts("one", "1.example", "own.io")
	both := with(star, own)
	for name, tc := range map[string]struct {
		before, after map[string]Files
		reboot        bool
	}{
		"it comes":                      {nil, star, false},
		"it goes":                       {star, nil, false},
		"it comes beside own hosts":     {own, both, false},
		"own hosts go":                  {both, star, false},
		"own hosts come":                {star, both, false},
		"all goes":                      {both, nil, false},
		"after a reboot":                {both, both, true},
		"after a reboot own hosts went": {both, star, true},
	} {
		for kind, disk := range kinds {
			t.Run(name+", "+kind, func(t *testing.T) {
				t.Parallel()
				for at := 1; ; at++ {
					n := newNode(t)
					elsewhere := n.elsewhere("1.example", "corp.example", "corp.example:5000", "own.io")
					n.reconcileBeside(elsewhere, tc.before)
					if tc.reboot {
						_ = os.RemoveAll(n.run)
					}
					stopping := disk
					stopping.stopAt = at
					d := n.directory()
					d.disk = &stopping
					result, err := d.Reconcile(Desired{Hosts: tc.after, Elsewhere: elsewhere})
					when := fmt.Sprintf("stopped at step %d", at)
					n.mustFind(when, elsewhere, map[string]Files{"corp.example": theirsOf("corp.example"), "corp.example:5000": theirsOf("corp.example:5000")})
					for _, host := range []string{"1.example", "own.io"} {
						if got := n.finds(host, elsewhere); !cmp.Equal(got, theirsOf(host)) && !cmp.Equal(got, own[host]) {
							t.Errorf("%s: %s has %q", when, host, got)
						}
					}
					if stopping.steps < at {
						if err != nil || len(result.Failed) > 0 || at < 3 {
							t.Errorf("the undisturbed pass of %d steps: %v, %v", stopping.steps, err, result.Failed)
						}
						return
					}
					n.reconcileBeside(elsewhere, tc.after)
					n.mustSee(tc.after)
				}
			})
		}
	}
}

func TestAnyHostIsNotWiredWhereItWouldHideAnything(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	elsewhere := n.elsewhere("corp.example")
	n.reconcile(hosts("one", AnyHost))
	d := n.directory()
	d.disk = noLinks{host: "corp.example"}
	result, err := d.Reconcile(Desired{Hosts: hosts("one", AnyHost), Elsewhere: elsewhere})
	if err != nil || result.Failed[AnyHost] == nil {
		t.Errorf("%+v, %v", result, err)
	}
	n.mustFind("not linked", elsewhere, map[string]Files{"corp.example": theirsOf("corp.example"), "quay.io": nil})
	n.reconcileBeside(elsewhere, hosts("one", AnyHost))
	n.mustFind("linked", elsewhere, map[string]Files{"corp.example": theirsOf("corp.example"), "quay.io": hosts("one", AnyHost)[AnyHost]})
}

// noLinks is a disk on which no link for one host can be made.
type noLinks struct {
	realDisk
	host string
}

func (d noLinks) Symlink(in *os.Root, target, name string) error {
	if filepath.Base(name) == d.host {
		return errStopped
	}
	return d.realDisk.Symlink(in, target, name)
}

func TestHostOf(t *testing.T) {
	t.Parallel()
	for _, host := range []string{"docker.io", "h:5000", "a-b.io:1", "[fd00::1]", "[fd00::1]:5000", "10.0.0.1:5000"} {
		for _, name := range Names(host) {
			if got := HostOf(name); got != host && !slices.Contains(Names(got), name) {
				t.Errorf("HostOf(%q) = %q, and Names of that are %q", name, got, Names(got))
			}
		}
	}
	for name, want := range map[string]string{"_default": "_default", "h_5000_": "h:5000", "h:5000": "h:5000", "a_b": "a_b", "_5000_": "_5000_", "": ""} {
		if got := HostOf(name); got != want {
			t.Errorf("HostOf(%q) = %q, want %q", name, got, want)
		}
	}
}
