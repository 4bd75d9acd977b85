package resources

import (
	corev1 "k8s.io/api/core/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"

	"github.com/registryhub/registryhub/api/config/htpasswd"
	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/api/v1alpha1"
)

// Where a registry finds what it signs with, its users, and who it is to the API server.
const (
	keysDirectory    = "/etc/registryhub/keys"
	usersDirectory   = "/etc/registryhub/users"
	accountDirectory = "/var/run/secrets/kubernetes.io/serviceaccount"
)

// LocalConfiguration is what makes a hub's proxy a registry that is pushed to.
func LocalConfiguration(hub *v1alpha1.RegistryHub) *configv1alpha1.LocalConfiguration {
	configuration := &configv1alpha1.LocalConfiguration{
		KeysDirectory: keysDirectory, ImmutableTags: hub.Spec.Local.ImmutableTags, Sparse: hub.Spec.Local.Sparse,
		UploadsExpireAfter: hub.Spec.Local.UploadsExpireAfter,
	}
	if PullAccess(hub) == v1alpha1.PullAnyone {
		configuration.Access.Anonymous = "Pull"
	}
	if hub.Spec.Access.HtpasswdSecretRef != nil {
		configuration.Access.HtpasswdFile = usersDirectory + "/" + htpasswd.Key
	}
	if AsksTheCluster(hub) {
		configuration.Access.Kubernetes = &configv1alpha1.KubernetesAccess{}
	}
	return configuration
}

// AsksTheCluster says whether a hub's proxy asks the API server who somebody is, and what they may do. No other has a token.
func AsksTheCluster(hub *v1alpha1.RegistryHub) bool {
	return hub.Spec.Local != nil && hub.Spec.Access.Kubernetes != nil
}

// account gives a registry's Pod the ServiceAccount that may ask. One that asks nobody has that of every Pod, and no token of
// it: it is said, since the API server takes a name back from serviceAccount that is taken out of serviceAccountName
// (kubernetes/kubernetes#108208).
func account(pod *corev1ac.PodSpecApplyConfiguration, hub *v1alpha1.RegistryHub) {
	switch {
	case AsksTheCluster(hub):
		pod.WithServiceAccountName(configv1alpha1.RegistryName)
	case hub.Spec.Local != nil:
		pod.WithServiceAccountName("default")
	}
}

// accountVolume is what client-go looks for in a Pod. The kubelet renews the token; one that leaks is good for an hour, as
// long as its Pod is there.
func accountVolume() *corev1ac.VolumeApplyConfiguration {
	token := corev1ac.ServiceAccountTokenProjection().WithPath("token").WithExpirationSeconds(3600)
	authority := corev1ac.ConfigMapProjection().WithName("kube-root-ca.crt").WithItems(corev1ac.KeyToPath().WithKey("ca.crt").WithPath("ca.crt"))
	return corev1ac.Volume().WithProjected(corev1ac.ProjectedVolumeSource().WithSources(
		corev1ac.VolumeProjection().WithServiceAccountToken(token), corev1ac.VolumeProjection().WithConfigMap(authority)))
}

func localMounts(hub *v1alpha1.RegistryHub) []mount {
	mounts := []mount{readOnly("keys", keysDirectory, secretVolume(KeysName(hub)))}
	if ref := hub.Spec.Access.HtpasswdSecretRef; ref != nil {
		item := corev1ac.KeyToPath().WithKey(htpasswd.Key).WithPath(htpasswd.Key)
		volume := corev1ac.Volume().WithSecret(corev1ac.SecretVolumeSource().WithSecretName(ref.Name).WithItems(item))
		mounts = append(mounts, readOnly("users", usersDirectory, volume))
	}
	if AsksTheCluster(hub) {
		mounts = append(mounts, readOnly("service-account", accountDirectory, accountVolume()))
	}
	return mounts
}

// KeysName is the name of the Secret with what a registry signs with.
func KeysName(hub *v1alpha1.RegistryHub) string { return ChildName(hub) + "-keys" }

// HubKeys is the Secret with what a registry signs with. The hub's Service owns it, as it does the certificate.
func HubKeys(hub *v1alpha1.RegistryHub, settings Settings, data map[string][]byte) *corev1ac.SecretApplyConfiguration {
	return corev1ac.Secret(KeysName(hub), settings.Namespace).
		WithLabels(hubLabels(hub)).
		WithType(corev1.SecretTypeOpaque).
		WithData(data)
}
