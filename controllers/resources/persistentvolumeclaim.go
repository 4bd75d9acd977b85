package resources

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"

	"github.com/registryhub/registryhub/api/v1alpha1"
)

// PersistentVolumeClaim holds a hub's cache; nil when the hub keeps it elsewhere. requested is what the claim asks
// for now, if there is one: a claim cannot shrink, so one that somebody grew by hand stays as large.
func PersistentVolumeClaim(hub *v1alpha1.RegistryHub, settings Settings, requested resource.Quantity) *corev1ac.PersistentVolumeClaimApplyConfiguration {
	storage := hub.Spec.Storage.PersistentVolumeClaim
	if storage == nil {
		return nil
	}
	size := storage.Size
	if requested.Cmp(size) > 0 {
		size = requested
	}
	spec := corev1ac.PersistentVolumeClaimSpec().
		WithAccessModes(storage.AccessModes...).
		WithResources(corev1ac.VolumeResourceRequirements().
			WithRequests(corev1.ResourceList{corev1.ResourceStorage: size}))
	if storage.StorageClassName != nil {
		spec.WithStorageClassName(*storage.StorageClassName)
	}
	return corev1ac.PersistentVolumeClaim(ChildName(hub), settings.Namespace).WithLabels(hubLabels(hub)).WithSpec(spec)
}
