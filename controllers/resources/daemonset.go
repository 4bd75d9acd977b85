package resources

import (
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/intstr"
	appsv1ac "k8s.io/client-go/applyconfigurations/apps/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"

	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
)

// agentHealthPort is where an agent answers the kubelet, on the node's loopback only.
const agentHealthPort = 20254

// DaemonSet runs the agent on every Linux node, whatever its taints: a node that it is not on pulls past the hubs.
//
// The agent is root, since containerd's directory is root's, and nothing more: no capability, no privilege. It is
// in the host's network because what it probes must be what containerd sees. With canaries it has the runtime's socket,
// through which anything can be done to the node: canary.go.
func DaemonSet(settings Settings, agent configv1alpha1.NodeAgentConfiguration) *appsv1ac.DaemonSetApplyConfiguration {
	return appsv1ac.DaemonSet(configv1alpha1.NodeAgentName, settings.Namespace).
		WithLabels(managed(AgentPodLabels())).
		WithSpec(appsv1ac.DaemonSetSpec().
			WithSelector(metav1ac.LabelSelector().WithMatchLabels(AgentPodLabels())).
			WithUpdateStrategy(appsv1ac.DaemonSetUpdateStrategy().
				WithType(appsv1.RollingUpdateDaemonSetStrategyType).
				WithRollingUpdate(appsv1ac.RollingUpdateDaemonSet().WithMaxUnavailable(intstr.FromString("10%")))).
			WithTemplate(corev1ac.PodTemplateSpec().
				WithLabels(managed(AgentPodLabels())).
				WithSpec(agentPod(settings, agent))))
}

func agentPod(settings Settings, agent configv1alpha1.NodeAgentConfiguration) *corev1ac.PodSpecApplyConfiguration {
	mounts := agentMounts(agent)
	pod := corev1ac.PodSpec().
		WithServiceAccountName(configv1alpha1.NodeAgentName).
		WithHostNetwork(true).
		WithEnableServiceLinks(false).
		WithImagePullSecrets(pullSecrets(settings)...).
		WithPriorityClassName("system-node-critical").
		WithNodeSelector(map[string]string{corev1.LabelOSStable: "linux"}).
		WithTolerations(corev1ac.Toleration().WithOperator(corev1.TolerationOpExists)).
		WithSecurityContext(corev1ac.PodSecurityContext().
			WithRunAsUser(0).
			WithRunAsGroup(0).
			WithSeccompProfile(corev1ac.SeccompProfile().WithType(corev1.SeccompProfileTypeRuntimeDefault))).
		WithContainers(agentContainer(settings, agent, mounts))
	for _, mount := range mounts {
		pod.WithVolumes(mount.volume)
	}
	return pod
}

func agentContainer(settings Settings, agent configv1alpha1.NodeAgentConfiguration, mounts []mount) *corev1ac.ContainerApplyConfiguration {
	container := corev1ac.Container().
		WithName("node-agent").
		WithImage(settings.Image).
		WithImagePullPolicy(corev1.PullIfNotPresent).
		WithArgs("node-agent",
			"--node-name=$(NODE_NAME)",
			"--namespace=$(POD_NAMESPACE)",
			"--certs-directory="+agent.CertsDirectory,
			"--run-directory="+agent.RunDirectory,
			"--client-certificate-directory="+nodeClientDirectory,
			"--health-address=127.0.0.1:20254",
			"--canary-interval="+canaryInterval(agent.Canary)).
		WithEnv(fieldEnv("NODE_NAME", "spec.nodeName"), fieldEnv("POD_NAMESPACE", "metadata.namespace")).
		WithResources(corev1ac.ResourceRequirements().WithRequests(corev1.ResourceList{
			corev1.ResourceCPU: resource.MustParse("10m"), corev1.ResourceMemory: resource.MustParse("32Mi"),
		})).
		WithReadinessProbe(agentProbe("/readyz", 5)).
		WithLivenessProbe(agentProbe("/healthz", 10)).
		WithSecurityContext(unprivileged())
	for _, mount := range mounts {
		container.WithVolumeMounts(mount.mount)
	}
	return withMetrics(container, agent)
}

func hostDirectory(name, directory string) *corev1ac.VolumeApplyConfiguration {
	return corev1ac.Volume().WithName(name).WithHostPath(corev1ac.HostPathVolumeSource().
		WithPath(directory).WithType(corev1.HostPathDirectoryOrCreate))
}

func fieldEnv(name, fieldPath string) *corev1ac.EnvVarApplyConfiguration {
	return corev1ac.EnvVar().WithName(name).WithValueFrom(corev1ac.EnvVarSource().
		WithFieldRef(corev1ac.ObjectFieldSelector().WithAPIVersion("v1").WithFieldPath(fieldPath)))
}

func agentProbe(path string, periodSeconds int32) *corev1ac.ProbeApplyConfiguration {
	return corev1ac.Probe().
		WithHTTPGet(corev1ac.HTTPGetAction().
			WithHost("127.0.0.1").WithPath(path).WithPort(intstr.FromInt32(agentHealthPort))).
		WithPeriodSeconds(periodSeconds).
		WithFailureThreshold(6).
		WithTimeoutSeconds(2)
}
