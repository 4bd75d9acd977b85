package distspec

import (
	"strings"
	"testing"
)

func TestBaseBuildsURLs(t *testing.T) {
	blob := Request{Kind: KindBlob, Repository: "a/b", Reference: sha("sha256:" + sha256Hex)}
	tests := map[string]struct {
		base    string
		request Request
		query   string
		want    string
	}{
		"no prefix":       {"https://registry-1.docker.io", Request{Kind: KindManifest, Repository: "library/alpine", Reference: tag("3")}, "", "https://registry-1.docker.io/v2/library/alpine/manifests/3"},
		"a slash":         {"https://ghcr.io/", blob, "", "https://ghcr.io/v2/a/b/blobs/sha256:" + sha256Hex},
		"a prefix":        {"https://harbor.example.com/docker/hub/", blob, "", "https://harbor.example.com/v2/docker/hub/a/b/blobs/sha256:" + sha256Hex},
		"a port":          {"http://LOCALHOST:5000/p", Request{Kind: KindTags, Repository: "a"}, "n=2", "http://localhost:5000/v2/p/a/tags/list?n=2"},
		"the API's root":  {"https://harbor.example.com/p", Request{Kind: KindBase}, "", "https://harbor.example.com/v2/"},
		"an IPv6 literal": {"http://[::1]:5000", Request{Kind: KindBase}, "", "http://[::1]:5000/v2/"},
		"referrers":       {"https://ghcr.io", Request{Kind: KindReferrers, Repository: "a", Reference: sha("sha256:" + sha256Hex)}, "", "https://ghcr.io/v2/a/referrers/sha256:" + sha256Hex},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			base, err := ParseBase(tc.base)
			if err != nil {
				t.Fatal(err)
			}
			if got := base.URL(tc.request, tc.query).String(); got != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
		})
	}
}

func TestBaseTellsItsParts(t *testing.T) {
	base, err := ParseBase("https://Harbor.example.com:8443/docker/hub/")
	if err != nil {
		t.Fatal(err)
	}
	if base.Scheme() != "https" || base.Host() != "harbor.example.com:8443" || base.Prefix() != "docker/hub" || base.Repository("a") != "docker/hub/a" {
		t.Errorf("got %+v", base)
	}
}

func TestParseBaseRefuses(t *testing.T) {
	for _, raw := range []string{"", "docker.io", "ftp://docker.io", "https://", "https://u:hunter2@docker.io", "https://docker.io?x=y", "https://docker.io#f", "https://docker.io/../x", "https://docker.io/A", "https://docker.io/a%2fb", "https://d:hunter2@[::1"} {
		base, err := ParseBase(raw)
		if err == nil {
			t.Errorf("%q: got %+v, want an error", raw, base)
		} else if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("the error tells a password: %v", err)
		}
	}
}
