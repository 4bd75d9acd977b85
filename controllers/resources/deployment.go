package resources

import (
	"maps"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	appsv1ac "k8s.io/client-go/applyconfigurations/apps/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"

	"github.com/registryhub/registryhub/api/v1alpha1"
)

// progressDeadlineSeconds is after how long a roll-out that gets nowhere counts as failed: time enough to attach a
// volume and to pull an image.
const progressDeadlineSeconds = 600

// Deployment runs a hub's proxy. One replica, replaced and not overlapped: the default access mode lets one Pod
// have the volume, and nodes pull from the upstream meanwhile. The hash is that of what the proxy reads only when it starts;
// everything else in its configuration reaches the Pod that runs.
func Deployment(hub *v1alpha1.RegistryHub, settings Settings, restartHash string) *appsv1ac.DeploymentApplyConfiguration {
	return appsv1ac.Deployment(ChildName(hub), settings.Namespace).
		WithLabels(hubLabels(hub)).
		WithSpec(appsv1ac.DeploymentSpec().
			WithReplicas(1).
			WithProgressDeadlineSeconds(progressDeadlineSeconds).
			WithRevisionHistoryLimit(2).
			WithStrategy(appsv1ac.DeploymentStrategy().WithType(appsv1.RecreateDeploymentStrategyType)).
			WithSelector(metav1ac.LabelSelector().WithMatchLabels(hubSelector(hub))).
			WithTemplate(corev1ac.PodTemplateSpec().
				WithLabels(hubLabels(hub)).
				WithAnnotations(map[string]string{v1alpha1.AnnotationRestartHash: restartHash}).
				WithSpec(proxyPod(hub, settings))))
}

func proxyPod(hub *v1alpha1.RegistryHub, settings Settings) *corev1ac.PodSpecApplyConfiguration {
	mounts := proxyMounts(hub)
	pod := corev1ac.PodSpec().
		WithAutomountServiceAccountToken(false).
		WithEnableServiceLinks(false).
		WithImagePullSecrets(pullSecrets(settings)...).
		WithNodeSelector(proxyNodeSelector(hub)).
		WithTolerations(startupToleration()).
		WithTolerations(tolerations(hub.Spec.Proxy.Tolerations)...).
		WithSecurityContext(proxyPodSecurity()).
		WithContainers(proxyContainer(hub, settings, mounts))
	for _, mount := range mounts {
		pod.WithVolumes(mount.volume)
	}
	if name := hub.Spec.Proxy.PriorityClassName; name != "" {
		pod.WithPriorityClassName(name)
	}
	return pod
}

func proxyContainer(hub *v1alpha1.RegistryHub, settings Settings, mounts []mount) *corev1ac.ContainerApplyConfiguration {
	container := corev1ac.Container().
		WithName("proxy").
		WithImage(settings.Image).
		WithImagePullPolicy(corev1.PullIfNotPresent).
		WithArgs("proxy", "--config", proxyConfigDirectory+"/"+proxyConfigKey).
		WithPorts(containerPort(registryPortName, RegistryPort), containerPort(DiagnosticsPortName, DiagnosticsPort)).
		WithStartupProbe(proxyProbe("/readyz", 2, 60)).
		WithReadinessProbe(proxyProbe("/readyz", 2, 3)).
		WithLivenessProbe(proxyProbe("/healthz", 10, 6)).
		WithSecurityContext(unprivileged().WithRunAsNonRoot(true))
	if resources := resourceRequirements(hub.Spec.Proxy.Resources); resources != nil {
		container.WithResources(resources)
	}
	for _, mount := range mounts {
		container.WithVolumeMounts(mount.mount)
	}
	return container
}

func containerPort(name string, port int32) *corev1ac.ContainerPortApplyConfiguration {
	return corev1ac.ContainerPort().WithName(name).WithContainerPort(port).WithProtocol(corev1.ProtocolTCP)
}

// proxyNodeSelector adds to the hub's own that the image is a Linux one.
func proxyNodeSelector(hub *v1alpha1.RegistryHub) map[string]string {
	selector := map[string]string{corev1.LabelOSStable: "linux"}
	maps.Copy(selector, hub.Spec.Proxy.NodeSelector)
	return selector
}
