package rules

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	config "github.com/registryhub/registryhub/api/config/v1alpha1"
)

func TestHostsAllows(t *testing.T) {
	patterns := []string{"docker.io", "registry.internal:5000", "*.example.com", "*.example.net:8443"}
	hosts := HostsOf(patterns)
	for host, want := range map[string]bool{
		"docker.io": true, "docker.io:443": false, "registry-1.docker.io": false,
		"registry.internal:5000": true, "registry.internal": false,
		"a.example.com": true, "a.b.example.com": true, "a.example.com:5000": false,
		"example.com": false, "evilexample.com": false, "a.example.com.evil.org": false,
		"a.example.net:8443": true, "a.example.net": false, "127.0.0.1": false, "": false,
	} {
		if got := hosts.Allows(host); got != want {
			t.Errorf("%s: got %t, want %t", host, got, want)
		}
		if told := config.HostAllowed(patterns, host); told != want {
			t.Errorf("%s: nodes are told %t, want %t", host, told, want)
		}
	}
	if diff := cmp.Diff([]string{"docker.io", "registry.internal:5000"}, hosts.Listed()); diff != "" {
		t.Errorf("listed (-want +got):\n%s", diff)
	}
}
