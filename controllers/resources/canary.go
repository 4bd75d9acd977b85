package resources

import (
	"fmt"
	"path"

	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"

	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
)

// canaryInterval is the agent's flag: 0 turns canaries off.
func canaryInterval(canary configv1alpha1.CanaryConfiguration) string {
	if !isOn(canary) {
		return "0"
	}
	return canary.Interval.Duration.String()
}

func isOn(canary configv1alpha1.CanaryConfiguration) bool {
	return canary.Enabled != nil && *canary.Enabled && canary.Interval != nil
}

// runtimeMounts are what the agent needs of the runtime for canaries: its socket, and its configuration to say why one does
// not come through. The socket's directory is mounted and not the socket, which is another one after each restart.
// Nothing can be written to either; that does not make the socket any weaker.
func runtimeMounts(agent configv1alpha1.NodeAgentConfiguration) []mount {
	if !isOn(agent.Canary) {
		return nil
	}
	layout := configv1alpha1.RuntimeLayoutOf(agent.CertsDirectory)
	return []mount{
		readOnlyHostDirectory("runtime-config", layout.ConfigDirectory),
		readOnlyHostDirectory("runtime-socket", path.Dir(layout.Socket)),
	}
}

func readOnlyHostDirectory(name, directory string) mount {
	return mount{
		volume: hostDirectory(name, directory),
		mount:  corev1ac.VolumeMount().WithName(name).WithMountPath(directory).WithReadOnly(true),
	}
}

func agentMounts(agent configv1alpha1.NodeAgentConfiguration) []mount {
	return append([]mount{
		{hostDirectory("certs", agent.CertsDirectory), corev1ac.VolumeMount().WithName("certs").WithMountPath(agent.CertsDirectory)},
		{hostDirectory("run", agent.RunDirectory), corev1ac.VolumeMount().WithName("run").WithMountPath(agent.RunDirectory)},
		{clientCertificateVolume(), corev1ac.VolumeMount().WithName(clientCertificateVolumeName).WithMountPath(nodeClientDirectory).WithReadOnly(true)},
	}, append(laterRootMounts(agent), runtimeMounts(agent)...)...)
}

// laterRootMounts are for the names of the hosts that what is wired for every other host must not hide.
func laterRootMounts(agent configv1alpha1.NodeAgentConfiguration) []mount {
	var mounts []mount
	for i, directory := range configv1alpha1.RuntimeLayoutOf(agent.CertsDirectory).LaterRoots {
		mounts = append(mounts, readOnlyHostDirectory(fmt.Sprintf("later-root-%d", i), directory))
	}
	return mounts
}
