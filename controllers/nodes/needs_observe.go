package nodes

import (
	"context"
	"fmt"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/registryhub/registryhub/api/v1alpha1"
	"github.com/registryhub/registryhub/controllers/resources"
)

// Needs are the images that a hub needs to start, from the cache: the operator's own, those that hubs have in its
// place or beside it, and those of the DaemonSets without which no Pod starts. What runs as a static Pod is not seen, nor is the sandbox's image, which the agents know.
func Needs(ctx context.Context, reader client.Reader, settings resources.Settings) ([]Need, error) {
	needs := needsOf("the operator's proxies and agents", corev1.PodSpec{Containers: []corev1.Container{{Image: settings.Image}}})
	deployments := &appsv1.DeploymentList{}
	if err := reader.List(ctx, deployments, client.InNamespace(settings.Namespace), shared); err != nil {
		return nil, fmt.Errorf("listing the operator's Deployments: %w", err)
	}
	for i := range deployments.Items {
		d := &deployments.Items[i]
		own := needsOf("Deployment "+settings.Namespace+"/"+d.Name, d.Spec.Template.Spec)
		if d.Labels[v1alpha1.LabelHub] != "" { // what every hub needs is there already
			own = slices.DeleteFunc(own, func(n Need) bool { return n.Image == settings.Image })
		}
		needs = append(needs, own...)
	}
	daemonSets := &appsv1.DaemonSetList{}
	if err := reader.List(ctx, daemonSets, shared); err != nil {
		return nil, fmt.Errorf("listing DaemonSets: %w", err)
	}
	for i := range daemonSets.Items {
		if d := &daemonSets.Items[i]; d.Namespace != settings.Namespace && isEssential(d) {
			needs = append(needs, needsOf("DaemonSet "+d.Namespace+"/"+d.Name, d.Spec.Template.Spec)...)
		}
	}
	return sortNeeds(needs), nil
}

// SlimDaemonSet is a cache's transform that keeps of other namespaces' DaemonSets what Needs reads.
func SlimDaemonSet(namespace string) func(any) (any, error) {
	return func(object any) (any, error) {
		if d, isDaemonSet := object.(*appsv1.DaemonSet); isDaemonSet && d.Namespace != namespace {
			d.ManagedFields, d.Annotations, d.Labels = nil, nil, nil
			d.Spec = appsv1.DaemonSetSpec{Template: corev1.PodTemplateSpec{Spec: slimPodSpec(d.Spec.Template.Spec)}}
			d.Status = appsv1.DaemonSetStatus{}
		}
		return object, nil
	}
}

func slimPodSpec(pod corev1.PodSpec) corev1.PodSpec {
	slim := corev1.PodSpec{
		PriorityClassName: pod.PriorityClassName,
		InitContainers:    onlyImages(pod.InitContainers),
		Containers:        onlyImages(pod.Containers),
	}
	for _, volume := range pod.Volumes {
		if volume.HostPath != nil {
			slim.Volumes = append(slim.Volumes, volume)
		}
	}
	return slim
}

func onlyImages(containers []corev1.Container) []corev1.Container {
	slim := make([]corev1.Container, 0, len(containers))
	for _, container := range containers {
		slim = append(slim, corev1.Container{Image: container.Image})
	}
	return slim
}
