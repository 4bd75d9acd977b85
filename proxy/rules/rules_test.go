package rules

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	config "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/proxy/distspec"
)

func TestFallback(t *testing.T) {
	const k8s = "registry.k8s.io"
	library := config.FallbackRule{Name: "library", Match: `([^/]+)`, Rewrite: "library/$1"}
	tests := map[string]struct {
		rules      []config.FallbackRule
		host       string
		repository string
		status     int
		want       Attempt // The zero value means no attempt.
	}{
		"the built-in rule doubles one segment":       {nil, k8s, "coredns", 404, Attempt{BuiltInName, "coredns/coredns"}},
		"the host in capitals":                        {nil, "Registry.K8S.io", "coredns", 404, Attempt{BuiltInName, "coredns/coredns"}},
		"the host with a port":                        {nil, "registry.k8s.io:443", "coredns", 404, Attempt{BuiltInName, "coredns/coredns"}},
		"another upstream host":                       {nil, "quay.io", "coredns", 404, Attempt{}},
		"a host below":                                {nil, "mirror.registry.k8s.io", "coredns", 404, Attempt{}},
		"a host that ends alike":                      {nil, "registry.k8s.io.evil.example", "coredns", 404, Attempt{}},
		"an address literal":                          {nil, "[::1]:5000", "coredns", 404, Attempt{}},
		"two segments never derive":                   {nil, k8s, "coredns/coredns", 404, Attempt{}},
		"three segments never derive":                 {nil, k8s, "a/b/c", 404, Attempt{}},
		"an original 200":                             {nil, k8s, "coredns", 200, Attempt{}},
		"401 is not asked again":                      {nil, k8s, "coredns", 401, Attempt{}},
		"403 is not asked again":                      {nil, k8s, "coredns", 403, Attempt{}},
		"429 is not asked again":                      {nil, k8s, "coredns", 429, Attempt{}},
		"503 is not asked again":                      {nil, k8s, "coredns", 503, Attempt{}},
		"no status, as of a time-out":                 {nil, k8s, "coredns", 0, Attempt{}},
		"a name too long to be doubled":               {nil, k8s, strings.Repeat("a", 200), 404, Attempt{}},
		"a rule of one's own is for every host":       {[]config.FallbackRule{library}, "quay.io:8443", "alpine", 404, Attempt{"library", "library/alpine"}},
		"a rule of one's own comes first":             {[]config.FallbackRule{library}, k8s, "coredns", 404, Attempt{"library", "library/coredns"}},
		"the match is anchored":                       {[]config.FallbackRule{{Name: "x", Match: `core`, Rewrite: "x"}}, "quay.io", "coredns", 404, Attempt{}},
		"alternatives are anchored together":          {[]config.FallbackRule{{Name: "x", Match: `a|b`, Rewrite: "x"}}, "quay.io", "ac", 404, Attempt{}},
		"the first of two that match":                 {[]config.FallbackRule{{Name: "one", Match: `a`, Rewrite: "x"}, {Name: "two", Match: `a`, Rewrite: "y"}}, "quay.io", "a", 404, Attempt{"one", "x"}},
		"a rule for another status is passed over":    {[]config.FallbackRule{{Name: "one", OnStatus: []int32{403}, Match: `a`, Rewrite: "x"}, {Name: "two", Match: `a`, Rewrite: "y"}}, "quay.io", "a", 404, Attempt{"two", "y"}},
		"a status of one's own":                       {[]config.FallbackRule{{Name: "one", OnStatus: []int32{401, 403}, Match: `a`, Rewrite: "x"}}, "quay.io", "a", 403, Attempt{"one", "x"}},
		"the same name is no attempt":                 {[]config.FallbackRule{{Name: "off", Match: `(coredns)`, Rewrite: "$1"}}, k8s, "coredns", 404, Attempt{}},
		"an invalid name is no attempt":               {[]config.FallbackRule{{Name: "x", Match: `(.*)`, Rewrite: "../$1"}}, k8s, "coredns", 404, Attempt{}},
		"a name that becomes empty is no attempt":     {[]config.FallbackRule{{Name: "x", Match: `a(b)?`, Rewrite: "$1"}}, k8s, "a", 404, Attempt{}},
		"named groups":                                {[]config.FallbackRule{{Name: "x", Match: `(?P<org>[^/]+)/(?P<app>[^/]+)`, Rewrite: "${app}-${org}"}}, "quay.io", "a/b", 404, Attempt{"x", "b-a"}},
		"what a rule yields is not derived by itself": {nil, k8s, "coredns/coredns", 404, Attempt{}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			compiled, err := Compile(tc.rules)
			if err != nil {
				t.Fatal(err)
			}
			got, ok := compiled.Fallback(tc.host, tc.repository, tc.status)
			if diff := cmp.Diff(tc.want, got); diff != "" || ok != (tc.want != Attempt{}) {
				t.Errorf("attempt %v (-want +got)\n%s", ok, diff)
			}
		})
	}
}

func TestCompileRefuses(t *testing.T) {
	tests := map[string]struct {
		rule config.FallbackRule
		want string
	}{
		"no expression":          {config.FallbackRule{Name: "x", Match: `(`, Rewrite: "y"}, "fallbackRules[0].match"},
		"an unbalanced escape":   {config.FallbackRule{Name: "x", Match: `a)|(b`, Rewrite: "y"}, "fallbackRules[0].match"},
		"a group that is absent": {config.FallbackRule{Name: "x", Match: `(a)`, Rewrite: "$2"}, `"$2"`},
		"a group run together":   {config.FallbackRule{Name: "x", Match: `(a)`, Rewrite: "$1_b"}, `"$1_b"`},
		"a lone dollar":          {config.FallbackRule{Name: "x", Match: `(a)`, Rewrite: "b$/c"}, `"$"`},
		"a status of trouble":    {config.FallbackRule{Name: "x", Match: `a`, Rewrite: "b", OnStatus: []int32{429}}, "onStatus[0]"},
		"no name":                {config.FallbackRule{Match: `a`, Rewrite: "b"}, "name"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := Compile([]config.FallbackRule{tc.rule})
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want it to name %s", err, tc.want)
			}
		})
	}
}

func TestCompileNamesEveryRuleThatIsWrong(t *testing.T) {
	_, err := Compile([]config.FallbackRule{{Name: "a", Match: "(", Rewrite: "x"}, {Name: "b", Match: "b", Rewrite: "y"}, {Name: "c", Match: "c", Rewrite: "$9"}})
	if err == nil || !strings.Contains(err.Error(), "[0]") || strings.Contains(err.Error(), "[1]") || !strings.Contains(err.Error(), "[2]") {
		t.Errorf("got %v", err)
	}
}

// Property: whatever the rule, an attempt is another name, and a valid one.
func TestFallbackYieldsValidNames(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rewrite := rapid.StringMatching(`[a-z./_$1{}-]{1,12}`).Draw(t, "rewrite")
		compiled, err := Compile([]config.FallbackRule{{Name: "x", Match: `(.*)`, Rewrite: rewrite}})
		if err != nil {
			return
		}
		repository := rapid.StringMatching(`[a-z]{1,4}(/[a-z]{1,4}){0,2}`).Draw(t, "repository")
		got, ok := compiled.Fallback("quay.io", repository, 404)
		if ok && (got.Repository == repository || !distspec.ValidRepository(got.Repository)) {
			t.Fatalf("%q became %q", repository, got.Repository)
		}
	})
}
