package resources

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"

	"github.com/registryhub/registryhub/api/v1alpha1"
)

func pullSecrets(settings Settings) []*corev1ac.LocalObjectReferenceApplyConfiguration {
	secrets := make([]*corev1ac.LocalObjectReferenceApplyConfiguration, 0, len(settings.ImagePullSecrets))
	for _, name := range settings.ImagePullSecrets {
		secrets = append(secrets, corev1ac.LocalObjectReference().WithName(name))
	}
	return secrets
}

// proxyPullSecrets are those of a hub, and those that all of the operator's Pods have.
func proxyPullSecrets(hub *v1alpha1.RegistryHub, settings Settings) []*corev1ac.LocalObjectReferenceApplyConfiguration {
	all := Settings{}
	for _, secret := range hub.Spec.Proxy.ImagePullSecrets {
		all.ImagePullSecrets = append(all.ImagePullSecrets, secret.Name)
	}
	for _, name := range settings.ImagePullSecrets {
		if !slices.Contains(all.ImagePullSecrets, name) {
			all.ImagePullSecrets = append(all.ImagePullSecrets, name)
		}
	}
	return pullSecrets(all)
}

func pullSecretReferences(settings Settings) []corev1.LocalObjectReference {
	var secrets []corev1.LocalObjectReference
	for _, name := range settings.ImagePullSecrets {
		secrets = append(secrets, corev1.LocalObjectReference{Name: name})
	}
	return secrets
}
