package resources

import (
	"cmp"
	"path"

	"k8s.io/apimachinery/pkg/api/resource"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"

	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/api/v1alpha1"
)

// Where a proxy finds what its bucket needs.
const (
	bucketCredentialsDirectory = "/etc/registryhub/bucket/credentials" //nolint:gosec // G101: a path, not a credential
	bucketCADirectory          = "/etc/registryhub/bucket/ca"
)

// bucketConfiguration is nil for a hub that keeps its cache elsewhere.
func bucketConfiguration(hub *v1alpha1.RegistryHub) *configv1alpha1.S3StoreConfiguration {
	s3 := hub.Spec.Storage.S3
	if s3 == nil {
		return nil
	}
	configuration := &configv1alpha1.S3StoreConfiguration{
		Endpoint: s3.Endpoint, Region: s3.Region, Bucket: s3.Bucket, Prefix: cmp.Or(s3.Prefix, hub.Name),
		CredentialsDirectory: bucketCredentialsDirectory, MaxSize: s3.MaxSize, Redirects: s3.Redirects,
	}
	if s3.CABundleRef != nil {
		configuration.CAFile = path.Join(bucketCADirectory, s3.CABundleRef.Key)
	}
	if limit := s3.Scratch.SizeLimit; limit != nil {
		configuration.MaxScratch = scratchWithin(*limit)
	}
	return configuration
}

// scratchWithin leaves a tenth of an emptyDir to what a file system takes beside the bytes of files: the kubelet evicts a Pod
// that passes the limit.
func scratchWithin(limit resource.Quantity) *resource.Quantity {
	return resource.NewQuantity(limit.Value()/10*9, resource.BinarySI)
}

// bucketMounts are what a proxy reads of its bucket.
func bucketMounts(hub *v1alpha1.RegistryHub) []mount {
	s3 := hub.Spec.Storage.S3
	if s3 == nil {
		return nil
	}
	secret := secretVolume(s3.CredentialsSecretRef.Name)
	mounts := []mount{readOnly("bucket-credentials", bucketCredentialsDirectory, secret)}
	if s3.CABundleRef != nil {
		mounts = append(mounts, readOnly("bucket-ca", bucketCADirectory, bundleVolume(s3.CABundleRef)))
	}
	return mounts
}

// scratchVolume is the emptyDir where a hub with a bucket has its fills.
func scratchVolume(s3 *v1alpha1.S3Storage) *corev1ac.VolumeApplyConfiguration {
	directory := corev1ac.EmptyDirVolumeSource()
	if s3.Scratch.SizeLimit != nil {
		directory.WithSizeLimit(*s3.Scratch.SizeLimit)
	}
	return corev1ac.Volume().WithEmptyDir(directory)
}
