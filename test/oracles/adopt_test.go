package oracles

import (
	"maps"
	"testing"
	"time"

	"github.com/registryhub/registryhub/controllers/nodeagent/certsd"
	"github.com/registryhub/registryhub/controllers/nodeagent/hoststoml"
)

// adopt wires these hosts to the hub, in front of what somebody else wrote for them.
func (n node) adopt(hosts ...string) {
	n.t.Helper()
	file := hoststoml.File{Hub: "a-hub", Revision: 9, Mirrors: []hoststoml.Mirror{{URL: hub, DialTimeout: time.Second}}}
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
	result, err := certsd.New(n.certs, n.run).Reconcile(desired, how)
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
