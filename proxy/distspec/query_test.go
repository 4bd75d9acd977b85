package distspec

import "testing"

func TestNamespace(t *testing.T) {
	tests := map[string]struct {
		query, want string
		wantErr     bool
	}{
		"none":                      {"", "", false},
		"a host":                    {"ns=docker.io", "docker.io", false},
		"a host in capitals":        {"ns=Registry.K8s.io", "registry.k8s.io", false},
		"a host with a port":        {"ns=localhost:5000", "localhost:5000", false},
		"an encoded port":           {"ns=localhost%3A5000", "localhost:5000", false},
		"an IPv6 literal":           {"ns=[::1]:5000", "[::1]:5000", false},
		"the same twice":            {"ns=docker.io&ns=docker.io", "docker.io", false},
		"among others":              {"n=1&ns=quay.io&last=x", "quay.io", false},
		"two":                       {"ns=docker.io&ns=quay.io", "", true},
		"an empty one":              {"ns=", "", true},
		"a URL":                     {"ns=https://docker.io", "", true},
		"a path":                    {"ns=docker.io/library", "", true},
		"user information":          {"ns=user@docker.io", "", true},
		"path traversal":            {"ns=../../etc", "", true},
		"a control character":       {"ns=docker.io%0d%0a", "", true},
		"a malformed escape":        {"ns=%zz", "", true},
		"a semicolon for separator": {"ns=docker.io;x=y", "", true},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := Namespace(tc.query)
			if got != tc.want || (err != nil) != tc.wantErr {
				t.Errorf("got %q, %v; want %q", got, err, tc.want)
			}
		})
	}
}

func TestNextPage(t *testing.T) {
	tests := map[string]struct{ link, want string }{
		"a path":                {`</v2/a/tags/list?last=b&n=2>; rel="next"`, "last=b&n=2"},
		"another host":          {`<https://evil.example/v2/a/tags/list?last=b&x=y>; rel=next`, "last=b&x=y"},
		"a registry's own word": {`</v2/a/tags/list?next_page=gAAA%3D&n=50>; rel="next"`, "next_page=gAAA%3D&n=50"},
		"a space":               {`</v2/a/tags/list?last=a b>; rel="next"`, "last=a+b"},
		"a second entry":        {`</x?n=1>; rel="prev", </y?n=2>; rel="next"`, "n=2"},
		"another relation":      {`</x?n=1>; rel="prev"`, ""},
		"none":                  {"", ""},
		"malformed":             {`/x?n=1; rel="next"`, ""},
		"malformed address":     {`<http://[::1?n=1>; rel="next"`, ""},
		"a parameter before":    {`</x?n=1>; title="t"; rel="next"`, "n=1"},
		"without any relation":  {`</x?n=1>`, ""},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			if got := NextPage(tc.link); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
	if got := NextPage(NextLink("a/b", "last=x&n=2")); got != "last=x&n=2" {
		t.Errorf("the own link is read as %q", got)
	}
}
