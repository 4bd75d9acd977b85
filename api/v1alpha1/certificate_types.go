package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// CertManagerGroup is the API group of cert-manager's own issuers.
const CertManagerGroup = "cert-manager.io"

// CertificateSpec says who issues a hub's certificate in the operator's place.
// Example: {issuerRef: {kind: ClusterIssuer, name: corp-ca}}.
type CertificateSpec struct {
	// issuerRef names the issuer, which must sign for the addresses and names of Services, and give the certificate authority
	// that nodes are to trust for it (ca.crt of the Secret that cert-manager writes).
	// +required
	IssuerRef IssuerReference `json:"issuerRef"`
}

// IssuerReference names an issuer of cert-manager. One that is not cluster-scoped is in the operator's namespace.
// +kubebuilder:validation:XValidation:rule="self.group != 'cert-manager.io' || self.kind == 'Issuer' || self.kind == 'ClusterIssuer'",message="kind must be Issuer or ClusterIssuer where group is cert-manager.io"
type IssuerReference struct {
	// name of the issuer.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`

	// kind of it: Issuer or ClusterIssuer, or what another group has. Default: Issuer.
	// +optional
	// +kubebuilder:default=Issuer
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Kind string `json:"kind,omitempty"`

	// group of its API. Default: cert-manager.io.
	// +optional
	// +kubebuilder:default="cert-manager.io"
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Group string `json:"group,omitempty"`
}

// String names the issuer as people do, and no two alike.
func (r IssuerReference) String() string {
	if r.Group == CertManagerGroup {
		return r.Kind + " " + r.Name
	}
	return r.Kind + "." + r.Group + " " + r.Name
}

// CertificateStatus is how far a hub is with the certificate of an issuer.
type CertificateStatus struct {
	// issuer whose certificate the hub shows. Absent while it shows the operator's own.
	// Example: ClusterIssuer corp-ca.
	// +optional
	Issuer string `json:"issuer,omitempty"`

	// caBundle holds the certificate authorities, in PEM, that nodes are to trust for this hub beside the operator's own: of
	// the certificate that it shows, of the one that it is to show, and for a while of the one that it showed before.
	// +optional
	CABundle string `json:"caBundle,omitempty"`

	// since is when caBundle last changed.
	// +optional
	Since *metav1.Time `json:"since,omitempty"`
}
