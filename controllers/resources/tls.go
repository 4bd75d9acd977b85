package resources

import (
	corev1 "k8s.io/api/core/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"

	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/api/v1alpha1"
)

// Where an agent finds the certificate that nodes show to hubs.
const (
	nodeClientDirectory         = "/etc/registryhub/node-client"
	clientCertificateVolumeName = "node-client"
)

// HasTLS says whether a hub's endpoint is https.
func HasTLS(hub *v1alpha1.RegistryHub) bool {
	return hub.Spec.Endpoint.Scheme == v1alpha1.EndpointHTTPS
}

// PullAccess is who may pull from a hub without saying who they are: what its spec says, or else Nodes for a hub with
// credentials, or one that is pushed to, since what it has is not for everybody.
func PullAccess(hub *v1alpha1.RegistryHub) v1alpha1.PullAccess {
	switch {
	case hub.Spec.Access.Pull != "":
		return hub.Spec.Access.Pull
	case HasTLS(hub) && isPrivate(hub):
		return v1alpha1.PullNodes
	}
	return v1alpha1.PullAnyone
}

// isPrivate says whether what a hub has was not for everybody before.
func isPrivate(hub *v1alpha1.RegistryHub) bool {
	if hub.Spec.Mirror == nil {
		return hub.Spec.Local != nil
	}
	for _, upstream := range hub.Spec.Mirror.Upstreams {
		if upstream.CredentialsSecretRef != nil || upstream.ClientCertificateSecretRef != nil {
			return true
		}
	}
	return false
}

// listenTLS is what a hub is served with over TLS; nil for plain HTTP. While a hub moves from plain HTTP it stays as open as it
// was, unless what its credentials get is for nodes alone, which nobody knows to have been public before.
func listenTLS(hub *v1alpha1.RegistryHub, both bool) *configv1alpha1.ListenTLS {
	if !HasTLS(hub) && !both {
		return nil
	}
	tls := &configv1alpha1.ListenTLS{CertificateDirectory: tlsDirectory}
	if PullAccess(hub) == v1alpha1.PullNodes {
		tls.ClientCAFile = tlsDirectory + "/" + configv1alpha1.BundleKey
	}
	tls.AlsoPlain = both && (tls.ClientCAFile == "" || !isPrivate(hub))
	return tls
}

// CertificateName is the name of the Secret with a hub's certificate.
func CertificateName(hub *v1alpha1.RegistryHub) string { return ChildName(hub) + "-tls" }

// ServiceHosts are the names of a hub's Service in the cluster's DNS.
func ServiceHosts(hub *v1alpha1.RegistryHub, settings Settings) []string {
	name := ChildName(hub) + "." + settings.Namespace + ".svc"
	return []string{name, name + ".cluster.local"}
}

// HubCertificate is the Secret with a hub's certificate. The hub's Service owns it and takes it along when it goes, so
// that the operator need not be allowed to delete Secrets.
func HubCertificate(hub *v1alpha1.RegistryHub, settings Settings) *corev1ac.SecretApplyConfiguration {
	return corev1ac.Secret(CertificateName(hub), settings.Namespace).WithLabels(hubLabels(hub))
}

// NodeClientCertificate is the Secret with the certificate that nodes show to hubs.
func NodeClientCertificate(settings Settings) *corev1ac.SecretApplyConfiguration {
	return corev1ac.Secret(configv1alpha1.NodeClientSecretName, settings.Namespace).WithLabels(certificateLabels())
}

// AuthoritySecret holds the certificate authorities with their keys. No Pod has it.
func AuthoritySecret(settings Settings, data map[string][]byte) *corev1ac.SecretApplyConfiguration {
	return corev1ac.Secret(configv1alpha1.AuthoritySecretName, settings.Namespace).
		WithLabels(certificateLabels()).
		WithType(corev1.SecretTypeOpaque).
		WithData(data)
}

// BundleConfigMap publishes what nodes and hubs trust, and the name of the authority that signs: when that changes, the
// bundle need not, and who holds a certificate has to look at it again.
func BundleConfigMap(settings Settings, bundle []byte, signer string) *corev1ac.ConfigMapApplyConfiguration {
	return corev1ac.ConfigMap(configv1alpha1.BundleName, settings.Namespace).
		WithLabels(certificateLabels()).
		WithData(map[string]string{configv1alpha1.BundleKey: string(bundle), "signer": signer})
}

func certificateLabels() map[string]string {
	return managed(map[string]string{labelName: valueName, labelComponent: componentCertificates})
}

// clientCertificateVolume is optional: an agent without it still wires every hub that asks for none.
func clientCertificateVolume() *corev1ac.VolumeApplyConfiguration {
	return corev1ac.Volume().WithName(clientCertificateVolumeName).WithSecret(corev1ac.SecretVolumeSource().
		WithSecretName(configv1alpha1.NodeClientSecretName).
		WithOptional(true).
		WithItems(
			corev1ac.KeyToPath().WithKey(corev1.TLSCertKey).WithPath(corev1.TLSCertKey),
			corev1ac.KeyToPath().WithKey(corev1.TLSPrivateKeyKey).WithPath(corev1.TLSPrivateKeyKey)))
}

func secretVolume(name string) *corev1ac.VolumeApplyConfiguration {
	return corev1ac.Volume().WithSecret(corev1ac.SecretVolumeSource().WithSecretName(name))
}
