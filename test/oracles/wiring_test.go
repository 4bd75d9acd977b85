package oracles

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// upstreams are hosts as references have them, and where containerd goes for them by itself.
var upstreams = map[string]string{
	"docker.io":                 "https://registry-1.docker.io/v2",
	"registry.k8s.io":           "https://registry.k8s.io/v2",
	"registry.example.com:5000": "https://registry.example.com:5000/v2",
	"registry.example.com:443":  "https://registry.example.com:443/v2",
	"10.0.0.1":                  "https://10.0.0.1/v2",
	"10.0.0.1:5000":             "https://10.0.0.1:5000/v2",
	"[fd00::1]":                 "https://[fd00::1]/v2",
	"[fd00::1]:5000":            "https://[fd00::1]:5000/v2",
	"localhost":                 "https://localhost/v2",
	"localhost:5000":            "https://localhost:5000/v2", // and http after it
	"127.0.0.1:5000":            "https://127.0.0.1:5000/v2", // and http after it
}

func TestAWiredHostTriesTheHubAndThenItsUpstream(t *testing.T) {
	t.Parallel()
	for _, mirror := range []string{hub, "https://hub.example.com", "http://hub.example.com:80"} {
		onEach(t, func(n node) {
			n.wire(mirror, slices.Collect(maps.Keys(upstreams))...)
			for host, upstream := range upstreams {
				want := []endpoint{
					{URL: mirror + "/v2", Pull: true, Resolve: true},
					{URL: upstream, Pull: true, Resolve: true, Push: true},
				}
				if diff := cmp.Diff(want, n.endpoints(host), cmpopts.IgnoreFields(endpoint{}, "Referrers")); diff != "" {
					n.t.Errorf("%s (-want +got):\n%s", host, diff)
				}
			}
		})
	}
}

// TestAnIPv6EndpointIsWrittenForEachRelease: the TOML parser of 1.x (go-toml v1) ends a table's name at the first ']',
// quoted or not, so containerd drops the file and goes to the upstream. 2.x, in turn, finds hosts in tables' names alone,
// so no one file serves both.
func TestAnIPv6EndpointIsWrittenForEachRelease(t *testing.T) {
	t.Parallel()
	const mirror = "http://[fd00::7]:5000"
	onEach(t, func(n node) {
		own, other := fileTo(mirror), fileTo(mirror)
		own.Inline, other.Inline = !n.containerd.understands2x(), n.containerd.understands2x()
		n.wireAs(other, "quay.io")
		n.mustTry("quay.io", "https://quay.io/v2")
		n.wireAs(own, "quay.io")
		n.mustTry("quay.io", mirror+"/v2", "https://quay.io/v2")
		own.Server = mirror
		n.wireAs(own, "quay.io")
		n.mustTry("quay.io", mirror+"/v2", mirror+"/v2")
	})
}

func TestReferrersAreForWhoKnowsThem(t *testing.T) {
	t.Parallel()
	onEach(t, func(n node) {
		file := fileTo(hub)
		n.wireAs(file, "quay.io")
		if got := n.endpoints("quay.io")[0]; got.URL != hub+"/v2" || got.Referrers {
			n.t.Errorf("without: %+v", got)
		}
		file.Mirrors[0].Referrers = true
		n.wireAs(file, "quay.io")
		if !n.containerd.understands2x() {
			n.mustTry("quay.io", "https://quay.io/v2")
			return
		}
		if got := n.endpoints("quay.io")[0]; got.URL != hub+"/v2" || !got.Referrers {
			n.t.Errorf("with: %+v", got)
		}
	})
}

func TestAHostThatIsNotWiredGoesStraightToItsUpstream(t *testing.T) {
	t.Parallel()
	for name, take := range map[string]func(n node){
		"never wired":        func(n node) { n.restore() },
		"withdrawn":          func(n node) { n.wire(hub) },
		"the node restored":  func(n node) { n.restore() },
		"after a reboot":     func(n node) { _ = os.RemoveAll(n.run) },
		"a generation swept": func(n node) { _ = os.RemoveAll(filepath.Join(n.run, "1")) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onEach(t, func(n node) {
				if name != "never wired" {
					n.wire(hub, slices.Collect(maps.Keys(upstreams))...)
				}
				take(n)
				for host, upstream := range upstreams {
					n.mustTry(host, upstream)
				}
			})
		})
	}
}

func TestAForeignDirectoryStaysInForce(t *testing.T) {
	t.Parallel()
	theirs := "[host.\"https://theirs.example.com\"]\n"
	for host, names := range map[string][]string{
		"docker.io":      {"docker.io"},
		"h.io:5000":      {"h.io_5000_", "h.io:5000"},
		"[fd00::1]:5000": {"[fd00::1]_5000_", "[fd00::1]:5000"},
	} {
		for _, name := range names {
			onEach(t, func(n node) {
				n.write(name+"/hosts.toml", theirs)
				before := n.endpoints(host)
				if result := n.wire(hub, host); result.Failed[host] == nil {
					n.t.Errorf("%s: not reported: %+v", name, result)
				}
				if got := n.endpoints(host); got[0].URL != "https://theirs.example.com/v2" || !cmp.Equal(before, got) {
					n.t.Errorf("%s: tries %v, before %v", name, got, before)
				}
			})
		}
	}
}

// TestTheTemporaryLinkIsNoHosts: certsd's temporary link, should a stopped agent leave it, is not found for any
// reference that names it.
func TestTheTemporaryLinkIsNoHosts(t *testing.T) {
	t.Parallel()
	const temporary = ".registryhub#swap"
	onEach(t, func(n node) {
		n.write(temporary+"/hosts.toml", "[host.\""+hub+"\"]\n")
		for _, reference := range []string{temporary + "/team/app:1", "x/" + temporary + "/app:1", temporary + ":5000/app:1"} {
			host, err := n.containerd.referenceHost(reference)
			if err == nil && strings.Contains(host, "#") {
				n.t.Errorf("%q is a reference to the host %q", reference, host)
			}
			if directory, err := n.containerd.lookUp(n.certs, host); err == nil && strings.Contains(directory, temporary) {
				n.t.Errorf("%q is looked up in %s", reference, directory)
			}
		}
	})
}
