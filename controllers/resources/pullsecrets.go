package resources

import (
	corev1 "k8s.io/api/core/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
)

func pullSecrets(settings Settings) []*corev1ac.LocalObjectReferenceApplyConfiguration {
	secrets := make([]*corev1ac.LocalObjectReferenceApplyConfiguration, 0, len(settings.ImagePullSecrets))
	for _, name := range settings.ImagePullSecrets {
		secrets = append(secrets, corev1ac.LocalObjectReference().WithName(name))
	}
	return secrets
}

func pullSecretReferences(settings Settings) []corev1.LocalObjectReference {
	var secrets []corev1.LocalObjectReference
	for _, name := range settings.ImagePullSecrets {
		secrets = append(secrets, corev1.LocalObjectReference{Name: name})
	}
	return secrets
}
