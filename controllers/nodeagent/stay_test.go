package nodeagent

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/api/v1alpha1"
	"github.com/registryhub/registryhub/controllers/nodeagent/hoststoml"
)

// stayingOverTLS is a hub for nodes alone that stays, for x.io.
func stayingOverTLS(revision int64, bundle []byte) configv1alpha1.NodeConfiguration {
	entry := staying(hub("a", "x.io"))
	entry.Endpoint, entry.ClientCertificate = "https://10.96.31.9:5000", true
	c := configuration(revision, entry)
	c.CABundle = string(bundle)
	return c
}

// decoded is what the host's file says.
func (b *bench) decoded(host string) hoststoml.File {
	b.t.Helper()
	file, err := hoststoml.Decode([]byte(b.file(host)))
	if err != nil {
		b.t.Fatal(err)
	}
	return file
}

func TestAHubThatStaysOutlivesARebootWithItsTLSFiles(t *testing.T) {
	t.Parallel()
	bundle, _ := pairOf(t)
	certificate, key := pairOf(t)
	b := newTLSBench(t, stayingOverTLS(7, bundle))
	b.show(certificate, key)
	b.mustPass()
	written := b.file("x.io")
	reboot(t, b)
	if got := b.file("x.io"); got != written {
		t.Fatalf("after a reboot there is %q, before it %q", got, written)
	}
	file := b.decoded("x.io")
	if file.Server != "https://10.96.31.9:5000" {
		t.Errorf("server %q", file.Server)
	}
	b.mustHold(file.Mirrors[0].CA, bundle)
	b.mustHold(file.Mirrors[0].ClientCertificate, certificate)
	b.mustHold(file.Mirrors[0].ClientKey, key)
	if info, err := os.Stat(file.Mirrors[0].ClientKey); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key: %v, %v", info, err)
	}
	for _, path := range []string{file.Mirrors[0].CA, file.Mirrors[0].ClientCertificate, file.Mirrors[0].ClientKey} {
		if filepath.Dir(path) != filepath.Join(b.certs, "x.io") {
			t.Errorf("%s does not lie beside the file", path)
		}
	}
}

// The kubelet brings a Secret to an agent that starts, and it may be late. Nor may the agent's own disk be full.
func TestAHubThatStaysIsKeptWhileItsFilesCannotBeMade(t *testing.T) {
	t.Parallel()
	bundle, _ := pairOf(t)
	certificate, key := pairOf(t)
	for sentence, tc := range map[string]struct {
		now  func() configv1alpha1.NodeConfiguration
		want bool
	}{
		"the same hub": {func() configv1alpha1.NodeConfiguration { return stayingOverTLS(8, bundle) }, true},
		"another hub": {func() configv1alpha1.NodeConfiguration {
			c := stayingOverTLS(8, bundle)
			c.Hubs[0].Name = "b"
			return c
		}, false},
		"one that does not stay any more": {func() configv1alpha1.NodeConfiguration {
			c := stayingOverTLS(8, bundle)
			c.Hubs[0].Fallback = ""
			return c
		}, false},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			b := newTLSBench(t, stayingOverTLS(7, bundle))
			b.show(certificate, key)
			b.mustPass()
			written := b.file("x.io")
			reboot(t, b)
			b.unshow()
			b.configure(tc.now())
			b.restart()
			b.mustPass()
			if got := b.file("x.io"); (got == written) != tc.want || !tc.want && got != "" {
				t.Errorf("there is %q", got)
			}
			if got := b.status().Exceptions; len(got) != 1 || got[0].Reason != v1alpha1.NodeReasonNoClientCertificate {
				t.Errorf("exceptions %+v", got)
			}
		})
	}
}

// unshow takes the pair away again.
func (b *bench) unshow() {
	b.t.Helper()
	for _, name := range []string{"tls.crt", "tls.key"} {
		if err := os.Remove(filepath.Join(b.reconciler.options.ClientCertificateDirectory, name)); err != nil {
			b.t.Fatal(err)
		}
	}
}

func TestAHubThatDidNotStayIsNotKeptWhenItIsToStay(t *testing.T) {
	t.Parallel()
	bundle, _ := pairOf(t)
	certificate, key := pairOf(t)
	c := stayingOverTLS(7, bundle)
	c.Hubs[0].Fallback = ""
	b := newTLSBench(t, c)
	b.show(certificate, key)
	b.mustPass()
	b.unshow()
	b.configure(stayingOverTLS(8, bundle))
	b.restart()
	b.mustPass()
	if got := b.file("x.io"); got != "" {
		t.Errorf("what names files that a reboot takes away is kept: %q", got)
	}
}

// containerd reads hosts.toml first, and then what it names.
func TestTLSFilesOfAHubThatStaysCanBeReadForOneMorePass(t *testing.T) {
	t.Parallel()
	one, _ := pairOf(t)
	two, _ := pairOf(t)
	certificate, key := pairOf(t)
	b := newTLSBench(t, stayingOverTLS(7, one))
	b.show(certificate, key)
	b.mustPass()
	before := b.decoded("x.io").Mirrors[0]
	b.configure(stayingOverTLS(8, append(one, two...)))
	b.mustPass()
	b.mustHold(before.CA, one)
	b.mustHold(b.decoded("x.io").Mirrors[0].CA, append(one, two...))
	b.mustPass()
	if _, err := os.Stat(before.CA); !os.IsNotExist(err) {
		t.Errorf("%s is still there: %v", before.CA, err)
	}
	b.mustHold(b.decoded("x.io").Mirrors[0].ClientKey, key)
}

func TestAHubThatStaysAndOneThatDoesNotChangeIntoEachOther(t *testing.T) {
	t.Parallel()
	b := newBench(t, configMap(t, configuration(5, hub("a", "x.io"))), ownNode(nil), ownMirror())
	for i, to := range []configv1alpha1.NodeHub{staying(hub("a", "x.io")), hub("a", "x.io"), staying(hub("a", "x.io"))} {
		b.configure(configuration(int64(6+i), to))
		b.mustPass()
		if got := b.decoded("x.io").Server != ""; got != to.Stays() {
			t.Errorf("step %d: stays %v, want %v", i, got, to.Stays())
		}
		target, err := os.Readlink(filepath.Join(b.certs, "x.io"))
		if err != nil || strings.HasPrefix(target, b.run) == to.Stays() {
			t.Errorf("step %d: it leads to %s (%v)", i, target, err)
		}
	}
	b.configure(configuration(9))
	b.mustPass()
	b.mustPass()
	if got := b.hosts(); !cmp.Equal(got, []string{}) {
		t.Errorf("withdrawn, there is %q", got)
	}
}

func TestRestoringTakesAwayWhatStays(t *testing.T) {
	t.Parallel()
	b := newBench(t, configMap(t, configuration(5, staying(hub("a", "x.io", "y.io:5000")))), ownNode(nil), ownMirror())
	b.mustPass()
	if err := b.keeper.restore(); err != nil {
		t.Fatal(err)
	}
	if got := b.hosts(); !cmp.Equal(got, []string{}) {
		t.Errorf("there is %q", got)
	}
}

// A NodeMirror must say of a hub that stays and does not answer that its pulls fail.
func TestWhatIsSaidOfAHubThatStaysAndDoesNotAnswer(t *testing.T) {
	t.Parallel()
	b := newBench(t, configMap(t, configuration(5, staying(hub("a", "x.io")))), ownNode(nil), ownMirror())
	b.hubs.otherwise["a"] = deadSince(2*reportAfter, true)
	b.mustPass()
	got := b.status().Exceptions
	if len(got) != 1 || got[0].Reason != v1alpha1.NodeReasonHubUnreachable || !strings.Contains(got[0].Message, "pulls of its hosts fail") {
		t.Errorf("exceptions %+v", got)
	}
}
