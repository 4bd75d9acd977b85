package oracles

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const quay = "https://quay.io/v2"

// to is a hosts.toml with one mirror and more lines in its table.
func to(url, more string) string { return "[host.\"" + url + "\"]\n" + more + "\n" }

// TestLookup holds where containerd looks for a host.
func TestLookup(t *testing.T) {
	t.Parallel()
	const host, own = "h.io:5000", "https://h.io:5000/v2"
	for name, tc := range map[string]struct {
		make func(n node)
		want []string
	}{
		"underscores": {func(n node) { n.write("h.io_5000_/hosts.toml", to("http://a", "")) }, []string{"http://a/v2", own}},
		"a colon":     {func(n node) { n.write("h.io:5000/hosts.toml", to("http://b", "")) }, []string{"http://b/v2", own}},
		"both: underscores win": {func(n node) {
			n.write("h.io_5000_/hosts.toml", to("http://a", ""))
			n.write("h.io:5000/hosts.toml", to("http://b", ""))
		}, []string{"http://a/v2", own}},
		"neither: _default": {func(n node) { n.write("_default/hosts.toml", to("http://d", "")) }, []string{"http://d/v2", own}},
		"one hides _default": {func(n node) {
			n.write("h.io:5000/hosts.toml", to("http://b", ""))
			n.write("_default/hosts.toml", to("http://d", ""))
		}, []string{"http://b/v2", own}},
		"an empty one hides _default":    {func(n node) { n.mkdir("h.io_5000_"); n.write("_default/hosts.toml", to("http://d", "")) }, []string{own}},
		"an empty one hides the other":   {func(n node) { n.mkdir("h.io_5000_"); n.write("h.io:5000/hosts.toml", to("http://b", "")) }, []string{own}},
		"a dangling link hides nothing":  {func(n node) { n.dangle("h.io_5000_"); n.write("h.io:5000/hosts.toml", to("http://b", "")) }, []string{"http://b/v2", own}},
		"a dangling link, and _default":  {func(n node) { n.dangle("h.io_5000_"); n.write("_default/hosts.toml", to("http://d", "")) }, []string{"http://d/v2", own}},
		"a dangling link alone":          {func(n node) { n.dangle("h.io_5000_") }, []string{own}},
		"the certs directory is missing": {func(n node) { _ = os.Remove(n.certs) }, []string{own}},
		"another port's":                 {func(n node) { n.write("h.io_5001_/hosts.toml", to("http://a", "")) }, []string{own}},
		"no port's":                      {func(n node) { n.write("h.io/hosts.toml", to("http://a", "")) }, []string{own}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onEach(t, func(n node) {
				tc.make(n)
				n.mustTry(host, tc.want...)
			})
		})
	}
}

func (n node) mkdir(name string) {
	n.t.Helper()
	if err := os.Mkdir(filepath.Join(n.certs, name), 0o755); err != nil {
		n.t.Fatal(err)
	}
}

func (n node) dangle(name string) {
	n.t.Helper()
	if err := os.Symlink(filepath.Join(n.run, "7", name), filepath.Join(n.certs, name)); err != nil {
		n.t.Fatal(err)
	}
}

// TestFields holds what containerd makes of a hosts.toml, by what a pull from quay.io tries.
func TestFields(t *testing.T) {
	t.Parallel()
	one := []string{"http://m:5000/v2", quay}
	for name, tc := range map[string]struct {
		file string
		// want in both versions, or in each.
		want, want1, want2 []string
	}{
		"a mirror":                    {file: to("http://m:5000", ""), want: one},
		"in the order of the file":    {file: to("http://z", "") + to("http://a", "") + to("http://m", ""), want: []string{"http://z/v2", "http://a/v2", "http://m/v2", quay}},
		"a server is taken literally": {file: "server = \"https://docker.io\"\n" + to("http://m:5000", ""), want: []string{"http://m:5000/v2", "https://docker.io/v2"}},
		"a server that is the mirror": {file: "server = \"http://m:5000\"\n" + to("http://m:5000", ""), want: []string{"http://m:5000/v2", "http://m:5000/v2"}},
		// Invalid in earlier 1.x, 1.7.28 among them: never write one.
		"root keys only":                {file: "server = \"https://s\"\n", want: []string{"https://s/v2"}},
		"empty":                         {file: "", want: []string{quay}},
		"a comment only":                {file: "# nothing\n", want: []string{quay}},
		"a syntax error":                {file: to("http://m:5000", "") + "[", want: []string{quay}},
		"a table twice":                 {file: to("http://m:5000", "") + to("http://m:5000", ""), want: []string{quay}},
		"an unknown capability":         {file: to("http://m:5000", `capabilities = ["pull", "fly"]`), want: []string{quay}},
		"the capability referrers":      {file: to("http://m:5000", `capabilities = ["pull", "referrers"]`), want1: []string{quay}, want2: one},
		"an unknown key":                {file: to("http://m:5000", `fly = true`), want: one},
		"a dial_timeout":                {file: to("http://m:5000", `dial_timeout = "1s"`), want: one},
		"a bad dial_timeout":            {file: to("http://m:5000", `dial_timeout = "soon"`), want1: one, want2: []string{quay}},
		"a path":                        {file: to("http://m:5000/team", ""), want: []string{"http://m:5000/team/v2", quay}},
		"a final slash":                 {file: to("http://m:5000/", ""), want: []string{"http://m:5000//v2", quay}},
		"a path that is the root":       {file: to("http://m:5000/api", "override_path = true"), want: []string{"http://m:5000/api", quay}},
		"TLS keys on http":              {file: to("http://m:5000", "skip_verify = true"), want: []string{"https://m:5000/v2", quay}},
		"TLS keys on http, port 80":     {file: to("http://m:80", "skip_verify = true"), want: []string{"http://m:80/v2", quay}},
		"a bad table drops a good one":  {file: to("http://m:5000", "") + to("http://n", `capabilities = ["fly"]`), want: []string{quay}},
		"an escape in a table's name":   {file: to(`http://m\u003A5000`, ""), want1: []string{quay}, want2: one},
		"a quotation mark's other kind": {file: "[host.'http://m:5000']\n", want: one},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onEach(t, func(n node) {
				want := tc.want
				if want == nil && n.containerd.understands2x() {
					want = tc.want2
				} else if want == nil {
					want = tc.want1
				}
				n.write("quay.io/hosts.toml", tc.file)
				n.mustTry("quay.io", want...)
			})
		})
	}
}

func TestCapabilities(t *testing.T) {
	t.Parallel()
	const url = "http://m:5000"
	for list, want := range map[string]endpoint{
		`["pull", "resolve"]`: {URL: url + "/v2", Pull: true, Resolve: true},
		`["pull"]`:            {URL: url + "/v2", Pull: true},
		`["PULL"]`:            {URL: url + "/v2", Pull: true},
		`[]`:                  {URL: url + "/v2", Pull: true, Resolve: true, Push: true},
	} {
		onEach(t, func(n node) {
			n.write("quay.io/hosts.toml", to(url, "capabilities = "+list))
			want := want
			want.Referrers = list == "[]" && n.containerd.understands2x()
			if diff := cmp.Diff(want, n.endpoints("quay.io")[0]); diff != "" {
				n.t.Errorf("%s (-want +got):\n%s", list, diff)
			}
		})
	}
}

// TestABadCAFailsEveryPull: the one mistake in a hosts.toml that leaves no way to the upstream.
func TestABadCAFailsEveryPull(t *testing.T) {
	t.Parallel()
	for name, file := range map[string]string{
		"a missing CA":               to("https://m", `ca = "missing.pem"`),
		"an empty CA":                to("https://m", `ca = "empty.pem"`),
		"a missing CA of the second": to("https://m", "") + to("https://n", `ca = "missing.pem"`),
		"a missing client":           to("https://m", `client = "missing.pem"`),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onEach(t, func(n node) {
				n.write("quay.io/hosts.toml", file)
				n.write("quay.io/empty.pem", "")
				n.mustFail("quay.io")
			})
		})
	}
}

// TestACertificateOfADroppedFileBecomesTheUpstreams: so ours are not named *.crt or *.cert.
func TestACertificateOfADroppedFileBecomesTheUpstreams(t *testing.T) {
	t.Parallel()
	for name, fails := range map[string]bool{"ca.crt": true, "client.cert": true, "ca.pem": false, "client.key": false} {
		onEach(t, func(n node) {
			n.write("quay.io/hosts.toml", "[")
			n.write("quay.io/"+name, "not a certificate")
			if fails {
				n.mustFail("quay.io")
				return
			}
			n.mustTry("quay.io", quay)
		})
	}
}
