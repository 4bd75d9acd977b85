package resources

import (
	corev1 "k8s.io/api/core/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"

	"github.com/registryhub/registryhub/api/config/htpasswd"
	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/api/v1alpha1"
)

// Where a registry finds what it signs with, and its users.
const (
	keysDirectory  = "/etc/registryhub/keys"
	usersDirectory = "/etc/registryhub/users"
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
	return configuration
}

func localMounts(hub *v1alpha1.RegistryHub) []mount {
	mounts := []mount{readOnly("keys", keysDirectory, secretVolume(KeysName(hub)))}
	if ref := hub.Spec.Access.HtpasswdSecretRef; ref != nil {
		item := corev1ac.KeyToPath().WithKey(htpasswd.Key).WithPath(htpasswd.Key)
		volume := corev1ac.Volume().WithSecret(corev1ac.SecretVolumeSource().WithSecretName(ref.Name).WithItems(item))
		mounts = append(mounts, readOnly("users", usersDirectory, volume))
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
