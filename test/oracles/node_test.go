package oracles

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/registryhub/registryhub/controllers/nodeagent/certsd"
	"github.com/registryhub/registryhub/controllers/nodeagent/hoststoml"
)

const hub = "http://10.96.31.7:5000"

// node is the two folders of a node, and a containerd that reads one of them.
type node struct {
	t          *testing.T
	containerd containerd
	certs, run string
	// later is a second directory of its config_path; "": there is none.
	later string
}

// configPath is what containerd is configured with.
func (n node) configPath() string {
	if n.later == "" {
		return n.certs
	}
	return n.certs + string(filepath.ListSeparator) + n.later
}

func newNode(t *testing.T, c containerd) node {
	t.Helper()
	root := t.TempDir()
	n := node{t: t, containerd: c, certs: filepath.Join(root, "certs.d"), run: filepath.Join(root, "run")}
	if err := os.Mkdir(n.certs, 0o755); err != nil {
		t.Fatal(err)
	}
	return n
}

// wire makes the agent's own code lead these hosts to a hub, and no others.
func (n node) wire(endpoint string, hosts ...string) certsd.Result {
	n.t.Helper()
	return n.wireAs(fileTo(endpoint), hosts...)
}

// fileTo leads to a hub.
func fileTo(endpoint string) hoststoml.File {
	return hoststoml.File{Hub: "a-hub", Revision: 9, Mirrors: []hoststoml.Mirror{{URL: endpoint, DialTimeout: time.Second}}}
}

// wireAs leads these hosts where a file says.
func (n node) wireAs(file hoststoml.File, hosts ...string) certsd.Result {
	n.t.Helper()
	return n.reconcile(n.filesOf(file, hosts...))
}

// filesOf are the files that lead these hosts where one says.
func (n node) filesOf(file hoststoml.File, hosts ...string) map[string]certsd.Files {
	n.t.Helper()
	data, err := hoststoml.Encode(file)
	if err != nil {
		n.t.Fatal(err)
	}
	desired := map[string]certsd.Files{}
	for _, host := range hosts {
		desired[host] = certsd.Files{"hosts.toml": data}
	}
	return desired
}

func (n node) reconcile(desired map[string]certsd.Files) certsd.Result {
	n.t.Helper()
	result, err := certsd.New(n.certs, n.run).Reconcile(certsd.Desired{Hosts: desired})
	if err != nil {
		n.t.Fatal(err)
	}
	return result
}

func (n node) restore() {
	n.t.Helper()
	if err := certsd.New(n.certs, n.run).Restore(); err != nil {
		n.t.Fatal(err)
	}
}

// write makes a file in the certs directory that is not ours.
func (n node) write(path, content string) {
	n.t.Helper()
	path = filepath.Join(n.certs, path)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		n.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		n.t.Fatal(err)
	}
}

func (n node) endpoints(host string) []endpoint {
	n.t.Helper()
	all, err := n.containerd.endpoints(n.t.Context(), host, lookup{certs: n.configPath()})
	if err != nil {
		n.t.Fatalf("%s: the pull fails: %v", host, err)
	}
	return all
}

// mustTry holds that a pull from the host tries exactly these URLs, in this order.
func (n node) mustTry(host string, urls ...string) {
	n.t.Helper()
	if diff := cmp.Diff(urls, urlsOf(n.endpoints(host))); diff != "" {
		n.t.Errorf("%s (-want +got):\n%s", host, diff)
	}
}

// mustFail holds that every pull from the host fails.
func (n node) mustFail(host string) {
	n.t.Helper()
	if all, err := n.containerd.endpoints(n.t.Context(), host, lookup{certs: n.configPath()}); err == nil {
		n.t.Errorf("%s: no error, and it tries %v", host, all)
	}
}

func urlsOf(all []endpoint) []string {
	var urls []string
	for _, e := range all {
		urls = append(urls, e.URL)
	}
	return urls
}
