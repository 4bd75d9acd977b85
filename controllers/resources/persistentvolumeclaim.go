package resources

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"

	"github.com/registryhub/registryhub/api/v1alpha1"
)

// PersistentVolumeClaim holds a hub's cache and asks for size; nil when the hub keeps its cache elsewhere. live is the
// claim as it is, nil while there is none: of what cannot be changed the intent has what is there, so that the rest can
// be applied.
func PersistentVolumeClaim(hub *v1alpha1.RegistryHub, settings Settings, live *corev1.PersistentVolumeClaim, size resource.Quantity) *corev1ac.PersistentVolumeClaimApplyConfiguration {
	storage := hub.Spec.Storage.PersistentVolumeClaim
	if storage == nil {
		return nil
	}
	class, modes := storage.StorageClassName, storage.AccessModes
	claim := corev1ac.PersistentVolumeClaim(ChildName(hub), settings.Namespace).WithLabels(hubLabels(hub))
	if live != nil {
		modes = live.Spec.AccessModes
		if class != nil && (live.Spec.StorageClassName != nil || live.Spec.VolumeName != "") {
			class = live.Spec.StorageClassName
		}
		if grownAt, grown := live.Annotations[v1alpha1.AnnotationGrownAt]; grown {
			claim.WithAnnotations(map[string]string{v1alpha1.AnnotationGrownAt: grownAt})
		}
	}
	spec := corev1ac.PersistentVolumeClaimSpec().
		WithAccessModes(modes...).
		WithResources(corev1ac.VolumeResourceRequirements().
			WithRequests(corev1.ResourceList{corev1.ResourceStorage: size}))
	if class != nil {
		spec.WithStorageClassName(*class)
	}
	return claim.WithSpec(spec)
}
