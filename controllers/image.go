package controllers

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	appsv1client "k8s.io/client-go/kubernetes/typed/apps/v1"

	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
)

// managerContainer is the container of the manager's Deployment whose image everything else runs.
const managerContainer = "manager"

// ResolveImage fills in the image of the proxies and the agents, where the file leaves it out, with the one that the
// manager's Deployment names, and the Secrets by which it is pulled with the Deployment's: so that an overlay that sets
// another image sets it for all.
func ResolveImage(ctx context.Context, deployments appsv1client.DeploymentsGetter, configuration *configv1alpha1.OperatorConfiguration) error {
	if configuration.Image != "" {
		return nil
	}
	deployment, err := deployments.Deployments(configuration.Namespace).Get(ctx, configv1alpha1.ManagerName, metav1.GetOptions{})
	if err != nil {
		return fmt.Errorf("reading the manager's own Deployment for its image (name one in the OperatorConfiguration where the manager runs otherwise): %w", err)
	}
	configuration.Image = imageOf(deployment.Spec.Template.Spec.Containers)
	if configuration.Image == "" {
		return fmt.Errorf("the Deployment %s has no container %q to take the image from: name one in the OperatorConfiguration",
			configv1alpha1.ManagerName, managerContainer)
	}
	if configuration.ImagePullSecrets == nil {
		for _, secret := range deployment.Spec.Template.Spec.ImagePullSecrets {
			configuration.ImagePullSecrets = append(configuration.ImagePullSecrets, secret.Name)
		}
	}
	return nil
}

func imageOf(containers []corev1.Container) string {
	for _, container := range containers {
		if container.Name == managerContainer {
			return container.Image
		}
	}
	return ""
}
