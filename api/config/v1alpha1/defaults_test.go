package v1alpha1

import "testing"

func TestDefaultUpstreamURL(t *testing.T) {
	for host, want := range map[string]string{
		"docker.io":                 "https://registry-1.docker.io",
		"quay.io":                   "https://quay.io",
		"registry.example.com:5000": "https://registry.example.com:5000",
		"[2001:db8::1]:5000":        "https://[2001:db8::1]:5000",
	} {
		got := DefaultUpstreamURL(host)
		if got != want {
			t.Errorf("the upstream of %s: got %s, want %s", host, got, want)
		}
		if err := ValidateUpstreamURL("url", got); err != nil {
			t.Errorf("the upstream of %s: %v", host, err)
		}
	}
}
