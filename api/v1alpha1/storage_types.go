package v1alpha1

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// StorageType says what a hub's cache is kept on.
// +kubebuilder:validation:Enum=PersistentVolumeClaim;Ephemeral;S3
type StorageType string

// The kinds of storage.
const (
	// StoragePersistentVolumeClaim keeps the cache on a volume of its own, which outlives the Pod.
	StoragePersistentVolumeClaim StorageType = "PersistentVolumeClaim"
	// StorageEphemeral keeps the cache in the Pod's emptyDir: it is lost whenever the Pod is replaced.
	StorageEphemeral StorageType = "Ephemeral"
	// StorageS3 keeps the cache in a bucket, which outlives the hub.
	StorageS3 StorageType = "S3"
)

// StorageSpec says where a hub keeps what it pulled.
// +kubebuilder:validation:XValidation:rule="self.type == 'PersistentVolumeClaim' ? has(self.persistentVolumeClaim) : !has(self.persistentVolumeClaim)",message="spec.storage.persistentVolumeClaim must be set when spec.storage.type is PersistentVolumeClaim, and must not be set otherwise"
// +kubebuilder:validation:XValidation:rule="self.type == 'Ephemeral' || !has(self.ephemeral)",message="spec.storage.ephemeral must not be set unless spec.storage.type is Ephemeral"
// +kubebuilder:validation:XValidation:rule="self.type == 'S3' ? has(self.s3) : !has(self.s3)",message="spec.storage.s3 must be set when spec.storage.type is S3, and must not be set otherwise"
type StorageSpec struct {
	// type says what the cache is kept on, and which member beside it is set: PersistentVolumeClaim, Ephemeral or
	// S3. It cannot be changed.
	// +required
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="spec.storage.type cannot be changed; make another hub"
	Type StorageType `json:"type"`

	// persistentVolumeClaim is set when type is PersistentVolumeClaim.
	// +optional
	PersistentVolumeClaim *PersistentVolumeClaimStorage `json:"persistentVolumeClaim,omitempty"`

	// ephemeral may be set when type is Ephemeral.
	// +optional
	Ephemeral *EphemeralStorage `json:"ephemeral,omitempty"`

	// s3 is set when type is S3.
	// +optional
	S3 *S3Storage `json:"s3,omitempty"`

	// eviction says when the hub gives up what it holds.
	// +optional
	// +kubebuilder:default={}
	Eviction EvictionSpec `json:"eviction,omitempty"`

	// scrub says how the hub finds what its disk let rot.
	// +optional
	// +kubebuilder:default={}
	Scrub ScrubSpec `json:"scrub,omitempty"`
}

// EvictionSpec says when a hub gives up what it holds: the least recently used first, never what is being read or
// fetched. Percentages are of the file system that the cache is on, in bytes and in inodes; with type Ephemeral that is the
// node's, not the emptyDir's sizeLimit; with type S3 they are of maxSize.
// Example: {highWatermarkPercent: 90, lowWatermarkPercent: 80, maxIdle: 720h}.
// +kubebuilder:validation:XValidation:rule="!has(self.lowWatermarkPercent) || !has(self.highWatermarkPercent) || self.lowWatermarkPercent < self.highWatermarkPercent",message="spec.storage.eviction.lowWatermarkPercent must be below highWatermarkPercent"
type EvictionSpec struct {
	// highWatermarkPercent of the bytes, or of the inodes, begins an eviction. Default: 90. From 1 to 99.
	// +optional
	// +kubebuilder:default=90
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=99
	HighWatermarkPercent *int32 `json:"highWatermarkPercent,omitempty"`

	// lowWatermarkPercent of both ends it. What was evicted makes room for an object of up to the rest: with 80, of
	// a fifth of the volume. Default: 80. From 1 to 99, and below highWatermarkPercent.
	// +optional
	// +kubebuilder:default=80
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=99
	LowWatermarkPercent *int32 `json:"lowWatermarkPercent,omitempty"`

	// maxIdle is how long an object is kept that nobody asks for. Default: for ever. From 2h, since the last access is
	// known to the hour, to 87600h (ten years).
	// +optional
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('2h') && duration(self) <= duration('87600h')",message="spec.storage.eviction.maxIdle must be from 2h to 87600h"
	MaxIdle *metav1.Duration `json:"maxIdle,omitempty"`
}

// VolumeRetention says what becomes of a hub's volume when the hub is deleted.
// +kubebuilder:validation:Enum=Delete;Retain
type VolumeRetention string

// What becomes of a hub's volume when the hub is deleted.
const (
	// VolumeDelete deletes the claim with the hub.
	VolumeDelete VolumeRetention = "Delete"
	// VolumeRetain leaves the claim; a hub of the same name that is made later finds the cache again.
	VolumeRetain VolumeRetention = "Retain"
)

// PersistentVolumeClaimStorage describes the volume that a hub's cache is kept on.
// Example: {size: 100Gi, storageClassName: fast}.
// +kubebuilder:validation:XValidation:rule="has(self.storageClassName) == has(oldSelf.storageClassName) && (!has(self.storageClassName) || self.storageClassName == oldSelf.storageClassName)",message="spec.storage.persistentVolumeClaim.storageClassName cannot be changed; make another hub"
// +kubebuilder:validation:XValidation:rule="!has(self.maxSize) || quantity(string(self.maxSize)).compareTo(quantity(string(self.size))) >= 0",message="spec.storage.persistentVolumeClaim.maxSize must be at least size"
type PersistentVolumeClaimStorage struct {
	// size of the volume. It can grow where the StorageClass allows it, and never shrinks. At least 1Mi.
	// Example: 100Gi.
	// +required
	// +kubebuilder:validation:XValidation:rule="quantity(string(self)).compareTo(quantity(string(oldSelf))) >= 0",message="spec.storage.persistentVolumeClaim.size cannot shrink: a volume only grows"
	// +kubebuilder:validation:XValidation:rule="quantity(string(self)).compareTo(quantity('1Mi')) >= 0",message="spec.storage.persistentVolumeClaim.size must be at least 1Mi"
	Size resource.Quantity `json:"size"`

	// maxSize lets the volume grow by itself: while the hub has to evict for want of room, the operator asks for a fifth
	// more, in whole Gi and at most maxSize; not before the last growth is done, and ten minutes old. It never shrinks
	// back. size stays as it is written here; status.storage.requested shows what was asked for. The StorageClass must
	// allow growth. At least size. Default: the volume grows with size alone. Example: 500Gi.
	// +optional
	MaxSize *resource.Quantity `json:"maxSize,omitempty"`

	// storageClassName of the volume. Default: the cluster's default StorageClass. It cannot be changed.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	StorageClassName *string `json:"storageClassName,omitempty"`

	// accessModes of the volume. Default: [ReadWriteOncePod], so that no second Pod can write to the cache by
	// mistake; give [ReadWriteOnce] where the storage driver does not know it. They cannot be changed.
	// +optional
	// +listType=set
	// +kubebuilder:default={ReadWriteOncePod}
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=3
	// +kubebuilder:validation:items:Enum=ReadWriteOncePod;ReadWriteOnce;ReadWriteMany
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="spec.storage.persistentVolumeClaim.accessModes cannot be changed; make another hub"
	AccessModes []corev1.PersistentVolumeAccessMode `json:"accessModes,omitempty"`

	// retention says what becomes of the volume when the hub is deleted: Delete or Retain. Default: Delete for a hub of mode
	// Mirror, as what it holds can be pulled again, and Retain for one of mode Local, as what was pushed is nowhere else.
	// status.storage.retention shows which it is.
	// +optional
	Retention VolumeRetention `json:"retention,omitempty"`
}

// VolumeRetention is what becomes of the hub's volume when the hub is deleted: what the spec says, or the default of its mode;
// empty when its storage is no volume.
func (s *RegistryHubSpec) VolumeRetention() VolumeRetention {
	switch volume := s.Storage.PersistentVolumeClaim; {
	case volume == nil:
		return ""
	case volume.Retention != "":
		return volume.Retention
	case s.Mode == HubModeLocal:
		return VolumeRetain
	}
	return VolumeDelete
}

// EphemeralStorage describes an emptyDir.
// Example: {sizeLimit: 20Gi}.
type EphemeralStorage struct {
	// sizeLimit of the emptyDir; the kubelet evicts the Pod when it is passed. Default: none.
	// +optional
	SizeLimit *resource.Quantity `json:"sizeLimit,omitempty"`
}
