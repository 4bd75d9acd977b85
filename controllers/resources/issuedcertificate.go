package resources

import (
	"net/netip"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"

	"github.com/registryhub/registryhub/api/v1alpha1"
)

// certManagerVersion is the version of cert-manager's API.
const certManagerVersion = "v1"

// shortestLifetime is the shortest that cert-manager takes.
const shortestLifetime = time.Hour

// IssuedCertificateName is the name of the Secret that cert-manager writes for a hub. No Pod has it.
func IssuedCertificateName(hub *v1alpha1.RegistryHub) string { return ChildName(hub) + "-issued" }

// IssuedCertificate is cert-manager's Certificate for a hub, from the issuer that it names, for these names and addresses. It
// is for servers alone, and has a new key each time. cert-manager has its own say in a lifetime that it would not take.
func IssuedCertificate(hub *v1alpha1.RegistryHub, settings Settings, issuer v1alpha1.IssuerReference, hosts []string, addresses []netip.Addr, lifetime time.Duration) *unstructured.Unstructured {
	spec := map[string]any{
		"secretName":  IssuedCertificateName(hub),
		"commonName":  ChildName(hub),
		"dnsNames":    list(hosts, func(host string) string { return host }),
		"ipAddresses": list(addresses, netip.Addr.String),
		"usages":      []any{"digital signature", "server auth"},
		"privateKey":  map[string]any{"algorithm": "ECDSA", "size": int64(256), "rotationPolicy": "Always"},
		"issuerRef":   map[string]any{"name": issuer.Name, "kind": issuer.Kind, "group": issuer.Group},
	}
	if lifetime >= shortestLifetime {
		spec["duration"] = lifetime.String()
	}
	certificate := certManagerObject("Certificate", settings.Namespace, ChildName(hub))
	certificate.SetLabels(hubLabels(hub))
	certificate.Object["spec"] = spec
	return certificate
}

// CertManagerIssuer is cert-manager's issuer of a reference, to be read. One of another group is none of cert-manager's own.
func CertManagerIssuer(settings Settings, issuer v1alpha1.IssuerReference) *unstructured.Unstructured {
	namespace := settings.Namespace
	if issuer.Kind == "ClusterIssuer" {
		namespace = ""
	}
	return certManagerObject(issuer.Kind, namespace, issuer.Name)
}

// CertManagerCertificate is a hub's Certificate, to be read or deleted.
func CertManagerCertificate(hub *v1alpha1.RegistryHub, settings Settings) *unstructured.Unstructured {
	return certManagerObject("Certificate", settings.Namespace, ChildName(hub))
}

// IssuedSecret has the Secret that cert-manager writes go with the Certificate that it writes it for, so that the operator need
// not be allowed to delete Secrets.
func IssuedSecret(hub *v1alpha1.RegistryHub, settings Settings) *corev1ac.SecretApplyConfiguration {
	return corev1ac.Secret(IssuedCertificateName(hub), settings.Namespace)
}

// Owner is an owner reference to an object that has no type here.
func Owner(object *unstructured.Unstructured) metav1.OwnerReference {
	return metav1.OwnerReference{APIVersion: object.GetAPIVersion(), Kind: object.GetKind(), Name: object.GetName(), UID: object.GetUID()}
}

func certManagerObject(kind, namespace, name string) *unstructured.Unstructured {
	object := &unstructured.Unstructured{}
	object.SetGroupVersionKind(schema.GroupVersionKind{Group: v1alpha1.CertManagerGroup, Version: certManagerVersion, Kind: kind})
	object.SetNamespace(namespace)
	object.SetName(name)
	return object
}

func list[T any](of []T, text func(T) string) []any {
	made := make([]any, 0, len(of))
	for _, one := range of {
		made = append(made, text(one))
	}
	return made
}
