package v1alpha1

import "testing"

func TestImageHost(t *testing.T) {
	t.Parallel()
	for reference, want := range map[string]string{
		"busybox":                              "docker.io",
		"busybox:1.36":                         "docker.io",
		"library/busybox":                      "docker.io",
		"docker.io/library/busybox":            "docker.io",
		"index.docker.io/library/busybox":      "docker.io",
		"registry.k8s.io/pause:3.10":           "registry.k8s.io",
		"registry.example.com:5000/team/app":   "registry.example.com:5000",
		"localhost/app":                        "localhost",
		"localhost:5000/app":                   "localhost:5000",
		"[fd00::1]:5000/app@sha256:0123":       "[fd00::1]:5000",
		"quay.io/cilium/cilium:v1@sha256:0123": "quay.io",
		"":                                     "docker.io",
	} {
		if got := ImageHost(reference); got != want {
			t.Errorf("%q comes from %q, want %q", reference, got, want)
		}
	}
}
