package resources

import (
	"fmt"
	"path"

	corev1 "k8s.io/api/core/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"

	"github.com/registryhub/registryhub/api/v1alpha1"
)

// mount is a volume and where the container has it.
type mount struct {
	volume *corev1ac.VolumeApplyConfiguration
	mount  *corev1ac.VolumeMountApplyConfiguration
}

func proxyMounts(hub *v1alpha1.RegistryHub) []mount {
	// The certificate is there for plain HTTP too: a hub that goes over to TLS need not start anew.
	mounts := []mount{
		cacheMount(hub), readOnly("config", proxyConfigDirectory, configVolume(hub)),
		readOnly("tls", tlsDirectory, secretVolume(CertificateName(hub))),
	}
	mounts = append(mounts, bucketMounts(hub)...)
	if hub.Spec.Local != nil {
		mounts = append(mounts, localMounts(hub)...)
	}
	if hub.Spec.Mirror == nil {
		return mounts
	}
	for i, upstream := range hub.Spec.Mirror.Upstreams {
		// Numbered: an upstream's name may be as long as a volume's.
		if ref := upstream.CredentialsSecretRef; ref != nil {
			volume := corev1ac.Volume().WithSecret(corev1ac.SecretVolumeSource().WithSecretName(ref.Name))
			mounts = append(mounts, readOnly(fmt.Sprintf("credentials-%d", i), path.Join(credentialsDirectory, upstream.Name), volume))
		}
		if ref := upstream.ClientCertificateSecretRef; ref != nil {
			mounts = append(mounts, readOnly(fmt.Sprintf("client-certificate-%d", i), path.Join(certificateDirectory, upstream.Name), keyPairVolume(ref)))
		}
		if ref := upstream.CABundleRef; ref != nil {
			mounts = append(mounts, readOnly(fmt.Sprintf("ca-%d", i), path.Join(caDirectory, upstream.Name), bundleVolume(ref)))
		}
	}
	return mounts
}

func cacheMount(hub *v1alpha1.RegistryHub) mount {
	const name = "cache"
	return mount{
		volume: cacheVolume(hub).WithName(name),
		mount:  corev1ac.VolumeMount().WithName(name).WithMountPath(cacheDirectory),
	}
}

func cacheVolume(hub *v1alpha1.RegistryHub) *corev1ac.VolumeApplyConfiguration {
	if hub.Spec.Storage.Type == v1alpha1.StoragePersistentVolumeClaim {
		return corev1ac.Volume().WithPersistentVolumeClaim(
			corev1ac.PersistentVolumeClaimVolumeSource().WithClaimName(ChildName(hub)))
	}
	if s3 := hub.Spec.Storage.S3; s3 != nil {
		return scratchVolume(s3)
	}
	directory := corev1ac.EmptyDirVolumeSource()
	if ephemeral := hub.Spec.Storage.Ephemeral; ephemeral != nil && ephemeral.SizeLimit != nil {
		directory.WithSizeLimit(*ephemeral.SizeLimit)
	}
	return corev1ac.Volume().WithEmptyDir(directory)
}

func configVolume(hub *v1alpha1.RegistryHub) *corev1ac.VolumeApplyConfiguration {
	return corev1ac.Volume().WithConfigMap(corev1ac.ConfigMapVolumeSource().WithName(ChildName(hub)))
}

// keyPairVolume shows the proxy what it needs of a Secret of type kubernetes.io/tls, which may hold a CA, too.
func keyPairVolume(ref *v1alpha1.SecretReference) *corev1ac.VolumeApplyConfiguration {
	certificate := corev1ac.KeyToPath().WithKey(corev1.TLSCertKey).WithPath(corev1.TLSCertKey)
	key := corev1ac.KeyToPath().WithKey(corev1.TLSPrivateKeyKey).WithPath(corev1.TLSPrivateKeyKey)
	return corev1ac.Volume().WithSecret(corev1ac.SecretVolumeSource().WithSecretName(ref.Name).WithItems(certificate, key))
}

// bundleVolume shows the proxy the one key that the hub names, and nothing else of the object.
func bundleVolume(ref *v1alpha1.CABundleReference) *corev1ac.VolumeApplyConfiguration {
	item := corev1ac.KeyToPath().WithKey(ref.Key).WithPath(ref.Key)
	if ref.Kind == v1alpha1.CABundleSecret {
		return corev1ac.Volume().WithSecret(corev1ac.SecretVolumeSource().WithSecretName(ref.Name).WithItems(item))
	}
	return corev1ac.Volume().WithConfigMap(corev1ac.ConfigMapVolumeSource().WithName(ref.Name).WithItems(item))
}

func readOnly(name, directory string, volume *corev1ac.VolumeApplyConfiguration) mount {
	return mount{
		volume: volume.WithName(name),
		mount:  corev1ac.VolumeMount().WithName(name).WithMountPath(directory).WithReadOnly(true),
	}
}
