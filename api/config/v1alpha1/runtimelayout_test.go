package v1alpha1_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	config "github.com/registryhub/registryhub/api/config/v1alpha1"
)

func TestRuntimeLayoutOf(t *testing.T) {
	t.Parallel()
	const usual = "/run/containerd/containerd.sock"
	docker := []string{"/etc/docker/certs.d"}
	cases := map[string]struct {
		certs string
		want  config.RuntimeLayout
	}{
		"containerd's packages":    {"/etc/containerd/certs.d", config.RuntimeLayout{ConfigDirectory: "/etc/containerd", ConfigFiles: []string{"/etc/containerd/config.toml"}, Socket: usual, LaterRoots: docker}},
		"a directory of one's own": {"/opt/certs.d", config.RuntimeLayout{ConfigDirectory: "/etc/containerd", ConfigFiles: []string{"/etc/containerd/config.toml"}, Socket: usual, LaterRoots: docker}},
		"that of docker":           {"/etc/docker/certs.d", config.RuntimeLayout{ConfigDirectory: "/etc/containerd", ConfigFiles: []string{"/etc/containerd/config.toml"}, Socket: usual}},
		"Talos": {"/etc/cri/conf.d/hosts", config.RuntimeLayout{ConfigDirectory: "/etc/cri", ConfigFiles: []string{"/etc/cri/containerd.toml"}, Socket: usual,
			Source: "the machine's configuration (a CRICustomizationConfig document, or machine.files with /etc/cri/conf.d/20-customization.part)"}},
		"RKE2, with the socket of k3s": {"/var/lib/rancher/rke2/agent/etc/containerd/certs.d", config.RuntimeLayout{
			ConfigDirectory: "/var/lib/rancher/rke2/agent/etc/containerd",
			ConfigFiles:     []string{"/var/lib/rancher/rke2/agent/etc/containerd/config.toml"}, Socket: "/run/k3s/containerd/containerd.sock",
			Source: "/var/lib/rancher/rke2/agent/etc/containerd/config.toml.tmpl (config-v3.toml.tmpl for containerd 2.x), out of which rke2 makes containerd's configuration",
		}},
		"MicroK8s": {"/var/snap/microk8s/current/args/certs.d", config.RuntimeLayout{
			ConfigDirectory: "/var/snap/microk8s/current/args",
			ConfigFiles:     []string{"/var/snap/microk8s/current/args/containerd.toml", "/var/snap/microk8s/current/args/containerd-template.toml"},
			Socket:          "/var/snap/microk8s/common/run/containerd.sock",
			Source:          "/var/snap/microk8s/current/args/containerd-template.toml",
		}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tc.want, config.RuntimeLayoutOf(tc.certs)); diff != "" {
				t.Errorf("the layout (-want +got):\n%s", diff)
			}
		})
	}
}
