package resources

import (
	"cmp"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	appsv1ac "k8s.io/client-go/applyconfigurations/apps/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"

	"github.com/registryhub/registryhub/api/v1alpha1"
)

// progressDeadlineSeconds is after how long a roll-out that gets nowhere counts as failed: time enough to attach a
// volume and to pull an image.
const progressDeadlineSeconds = 600

// Deployment runs a hub's proxy: one Pod, or several where they can share the storage. The hash is that of what the proxy
// reads only when it starts; everything else in its configuration reaches the Pods that run. held is the number of replicas
// that the operator gave the Deployment that is there, nil for none.
func Deployment(hub *v1alpha1.RegistryHub, settings Settings, restartHash string, held *int32) *appsv1ac.DeploymentApplyConfiguration {
	spec := appsv1ac.DeploymentSpec().
		WithProgressDeadlineSeconds(progressDeadlineSeconds).
		WithRevisionHistoryLimit(2).
		WithStrategy(strategy(hub)).
		WithSelector(metav1ac.LabelSelector().WithMatchLabels(hubSelector(hub))).
		WithTemplate(corev1ac.PodTemplateSpec().
			WithLabels(hub.Spec.Proxy.Labels).
			WithLabels(podLabels(hub)).
			WithAnnotations(hub.Spec.Proxy.Annotations).
			WithAnnotations(map[string]string{v1alpha1.AnnotationRestartHash: restartHash}).
			WithSpec(proxyPod(hub, settings)))
	spec.Replicas = replicas(hub, held)
	return appsv1ac.Deployment(ChildName(hub), settings.Namespace).WithLabels(hubLabels(hub)).WithSpec(spec)
}

func proxyPod(hub *v1alpha1.RegistryHub, settings Settings) *corev1ac.PodSpecApplyConfiguration {
	mounts := proxyMounts(hub)
	pod := corev1ac.PodSpec().
		WithAutomountServiceAccountToken(false).
		WithEnableServiceLinks(false).
		WithImagePullSecrets(proxyPullSecrets(hub, settings)...).
		WithSecurityContext(proxyPodSecurity()).
		WithContainers(proxyContainer(hub, settings, mounts))
	account(pod, hub)
	schedule(pod, hub)
	for _, mount := range mounts {
		pod.WithVolumes(mount.volume)
	}
	if sharesStorage(hub) {
		pod.WithTerminationGracePeriodSeconds(graceSeconds)
	}
	return pod
}

func proxyContainer(hub *v1alpha1.RegistryHub, settings Settings, mounts []mount) *corev1ac.ContainerApplyConfiguration {
	container := corev1ac.Container().
		WithName("proxy").
		WithImage(cmp.Or(hub.Spec.Proxy.Image, settings.Image)).
		WithImagePullPolicy(corev1.PullIfNotPresent).
		WithArgs("proxy", "--config", proxyConfigDirectory+"/"+proxyConfigKey).
		WithPorts(containerPort(registryPortName, RegistryPort), containerPort(DiagnosticsPortName, DiagnosticsPort)).
		WithStartupProbe(proxyProbe("/readyz", 2, 60)).
		WithReadinessProbe(proxyProbe("/readyz", 2, 3)).
		WithLivenessProbe(proxyProbe("/healthz", 10, 6)).
		WithSecurityContext(unprivileged().WithRunAsNonRoot(true))
	if resources := hub.Spec.Proxy.Resources; !equality.Semantic.DeepEqual(resources, corev1.ResourceRequirements{}) {
		container.WithResources(intended[corev1ac.ResourceRequirementsApplyConfiguration](resources))
	}
	for _, variable := range hub.Spec.Proxy.Env {
		container.WithEnv(intended[corev1ac.EnvVarApplyConfiguration](variable))
	}
	for _, mount := range mounts {
		container.WithVolumeMounts(mount.mount)
	}
	if sharesStorage(hub) {
		container.WithLifecycle(linger())
	}
	return container
}

func containerPort(name string, port int32) *corev1ac.ContainerPortApplyConfiguration {
	return corev1ac.ContainerPort().WithName(name).WithContainerPort(port).WithProtocol(corev1.ProtocolTCP)
}
