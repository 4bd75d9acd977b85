package oracles

import (
	"maps"
	"testing"

	"github.com/registryhub/registryhub/controllers/nodeagent/certsd"
	"github.com/registryhub/registryhub/controllers/nodeagent/hoststoml"
)

func TestWhatIsAdoptedStandsBehindAnIPv6Endpoint(t *testing.T) {
	t.Parallel()
	const mirror = "http://[fd00::7]:5000"
	onEach(t, func(n node) {
		n.write("quay.io/hosts.toml", "[host.\"https://one.example\"]\n[host.\"https://a.example\"]\n")
		before := urlsOf(n.endpoints("quay.io"))
		file := fileTo(mirror)
		file.Inline = !n.containerd.understands2x()
		n.adoptBehind(file, "quay.io")
		n.mustTry("quay.io", append([]string{mirror + "/v2"}, before...)...)
	})
}

// adopt wires these hosts to the hub, in front of what somebody else wrote for them.
func (n node) adopt(hosts ...string) {
	n.t.Helper()
	n.adoptBehind(fileTo(hub), hosts...)
}

func (n node) adoptBehind(file hoststoml.File, hosts ...string) {
	n.t.Helper()
	desired, how := map[string]certsd.Files{}, map[string]certsd.Adopt{}
	for _, host := range hosts {
		desired[host] = certsd.Files{}
		how[host] = func(theirs certsd.Files) (certsd.Files, error) {
			adopted, err := hoststoml.Adopt(file, theirs["hosts.toml"])
			files := maps.Clone(theirs)
			files["hosts.toml"] = adopted
			return files, err
		}
	}
	result, err := certsd.New(n.certs, n.run).Reconcile(certsd.Desired{Hosts: desired, Adopt: how})
	if err != nil || len(result.Failed) > 0 {
		n.t.Fatalf("%+v, %v", result, err)
	}
}

func TestAnAdoptedHostTriesTheHubAndThenWhatItTriedBefore(t *testing.T) {
	t.Parallel()
	onEach(t, func(n node) {
		n.write("quay.io/hosts.toml", "server = \"https://last.example\"\n[host.\"https://one.example\"]\n  capabilities = [\"pull\", \"resolve\"]\n[host.\"http://two.example:80\"]\n")
		n.write("plain.example:5000/hosts.toml", "[host.\"https://one.example\"]\n")
		before := urlsOf(n.endpoints("quay.io"))
		beside := urlsOf(n.endpoints("plain.example:5000"))
		n.adopt("quay.io", "plain.example:5000")
		n.mustTry("quay.io", append([]string{hub + "/v2"}, before...)...)
		n.mustTry("plain.example:5000", append([]string{hub + "/v2"}, beside...)...)
		n.wire(hub)
		n.mustTry("quay.io", before...)
		n.mustTry("plain.example:5000", beside...)
	})
}
