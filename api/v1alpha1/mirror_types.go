package v1alpha1

import (
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// MirrorSpec says where a mirror's content comes from, and how it is asked for.
type MirrorSpec struct {
	// upstreams are tried in order: the next one is asked when one cannot be reached or answers 429 or 5xx.
	// None given: each host is its own upstream (docker.io is asked at registry-1.docker.io); the status shows
	// what that came to. At most 8.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=8
	Upstreams []Upstream `json:"upstreams,omitempty"`

	// allowedHosts are the registry hosts that the host "*" may stand for: a host with its port where it has one, or
	// "*.example.com" for every name below it with the same port. Each is its own upstream, asked without credentials.
	// Required with "*" in hosts, and not allowed otherwise. At least 1, at most 64.
	//
	// What a name of a pattern resolves to is asked only if it is no address of the hub's machine, its link, a private
	// network or a cluster; a host that is listed by itself is asked wherever it is.
	// Example: [quay.io, ghcr.io, '*.gcr.io', 'registry.corp.example:5000'].
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	AllowedHosts []HostPattern `json:"allowedHosts,omitempty"`

	// fallbackRules ask again, once, under another repository name when an upstream has given a final answer
	// that the rule names. The first rule that matches is used. registry.k8s.io has one built in, which asks
	// <name> again as <name>/<name> on 404 (kubeadm asks custom repositories for coredns, which lives at
	// coredns/coredns). At most 16.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=16
	FallbackRules []FallbackRule `json:"fallbackRules,omitempty"`

	// tags says how long a tag is believed.
	// +optional
	// +kubebuilder:default={}
	Tags TagsSpec `json:"tags,omitempty"`

	// segments says how a large blob is fetched over several connections, where its upstream can send parts.
	// +optional
	// +kubebuilder:default={}
	Segments SegmentsSpec `json:"segments,omitempty"`

	// repositories says which repositories the hub serves. A client is answered 403 for the others, and containerd
	// then asks the registry itself. Default: all.
	// +optional
	Repositories *RepositoriesSpec `json:"repositories,omitempty"`

	// prewarm says what is pulled before anybody asks for it. Default: nothing.
	// +optional
	Prewarm *PrewarmSpec `json:"prewarm,omitempty"`
}

// SegmentsSpec says how a large blob is fetched. Many registries limit the speed of one connection; several make a
// first pull through the hub faster than one from the registry itself.
// Example: {size: 8Mi, parallel: 4}.
type SegmentsSpec struct {
	// size of a segment. A blob of less than two is fetched whole. Default: 8Mi. From 1Mi.
	// +optional
	// +kubebuilder:default="8Mi"
	// +kubebuilder:validation:XValidation:rule="quantity(string(self)).compareTo(quantity('1Mi')) >= 0",message="spec.mirror.segments.size must be at least 1Mi"
	Size *resource.Quantity `json:"size,omitempty"`

	// parallel is how many segments of one blob are fetched at once. Default: 4. From 1, which is one connection for
	// each blob, to 16.
	// +optional
	// +kubebuilder:default=4
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=16
	Parallel *int32 `json:"parallel,omitempty"`
}

// Upstream is one registry that content is fetched from.
// Example: {name: hub, url: https://registry-1.docker.io, credentialsSecretRef: {name: hub-docker-io}}.
// +kubebuilder:validation:XValidation:rule="!has(self.clientCertificateSecretRef) || self.url.startsWith('https:')",message="an upstream's clientCertificateSecretRef needs an https url: nobody asks for a certificate without TLS"
type Upstream struct {
	// name of the upstream, for status, metrics and logs. A DNS label.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Name string `json:"name"`

	// url of the upstream. A path is a repository prefix on that upstream (Harbor's proxy projects,
	// Artifactory's remote repositories). http or https; no user information, no query, no fragment.
	// Example: https://harbor.example.com/dockerhub.
	// +required
	// +kubebuilder:validation:MaxLength=1024
	// +kubebuilder:validation:XValidation:rule="isURL(self) && self.matches('^https?://[^/]')",message="an upstream's url must be an absolute http or https URL, such as https://registry-1.docker.io"
	// +kubebuilder:validation:XValidation:rule="!self.contains('@')",message="an upstream's url has no user information: put credentials in a Secret and name it in credentialsSecretRef"
	// +kubebuilder:validation:XValidation:rule="!self.contains('?') && !self.contains('#')",message="an upstream's url has no query and no fragment"
	URL string `json:"url"`

	// credentialsSecretRef names a Secret in the operator's namespace of type kubernetes.io/dockerconfigjson
	// (the entry for the upstream's host is used) or kubernetes.io/basic-auth. Default: anonymous.
	// +optional
	CredentialsSecretRef *SecretReference `json:"credentialsSecretRef,omitempty"`

	// clientCertificateSecretRef names a Secret in the operator's namespace of type kubernetes.io/tls: the
	// certificate (tls.crt) that is shown to this upstream, and to no other host, and its key (tls.key). A changed
	// Secret is used without a restart. Needs an https url. Default: none.
	// +optional
	ClientCertificateSecretRef *SecretReference `json:"clientCertificateSecretRef,omitempty"`

	// caBundleRef names PEM certificates in the operator's namespace that are trusted for this upstream,
	// beside the public roots. Default: the public roots alone.
	// +optional
	CABundleRef *CABundleReference `json:"caBundleRef,omitempty"`
}

// SecretReference names a Secret in the operator's namespace.
type SecretReference struct {
	// name of the Secret.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
}

// CABundleKind is the kind of object that holds a CA bundle.
// +kubebuilder:validation:Enum=ConfigMap;Secret
type CABundleKind string

// The kinds of object that can hold a CA bundle.
const (
	CABundleConfigMap CABundleKind = "ConfigMap"
	CABundleSecret    CABundleKind = "Secret"
)

// CABundleReference names a key of a ConfigMap or Secret in the operator's namespace.
// Example: {kind: ConfigMap, name: corp-ca, key: ca.crt}.
type CABundleReference struct {
	// kind of the object: ConfigMap or Secret. Default: ConfigMap.
	// +optional
	// +kubebuilder:default=ConfigMap
	Kind CABundleKind `json:"kind,omitempty"`

	// name of the object.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`

	// key in the object's data. Default: ca.crt.
	// +optional
	// +kubebuilder:default="ca.crt"
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[-._a-zA-Z0-9]+$`
	Key string `json:"key,omitempty"`
}

// FallbackRule asks again under another repository name.
// Example: {name: doubled-segment, onStatus: [404], match: '([^/]+)', rewrite: '$1/$1'}.
type FallbackRule struct {
	// name of the rule, for logs and metrics. A DNS label.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Name string `json:"name"`

	// onStatus are the final HTTP statuses that the rule acts on. Default: [404]. 401, 403, 404 and 410 can
	// be named: any other status says that the upstream is in trouble, not that the name is wrong.
	// +optional
	// +listType=set
	// +kubebuilder:default={404}
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=4
	// +kubebuilder:validation:items:Enum=401;403;404;410
	OnStatus []int32 `json:"onStatus,omitempty"`

	// match is a regular expression (RE2) that must match the whole repository name as the client wrote it,
	// before an upstream's prefix is put in front. At most 512 characters.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	Match string `json:"match"`

	// rewrite is the repository name to ask for instead; $1 or ${1} stands for the first group of match.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	Rewrite string `json:"rewrite"`
}

// TagsSpec says how long a tag is believed.
type TagsSpec struct {
	// revalidateAfter is how long the digest of a tag is served without asking the upstream again.
	// Default: 5m. From 0s (ask every time) to 8760h (a year).
	// +optional
	// +kubebuilder:default="5m"
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('0s') && duration(self) <= duration('8760h')",message="spec.mirror.tags.revalidateAfter must be from 0s to 8760h"
	RevalidateAfter *metav1.Duration `json:"revalidateAfter,omitempty"`

	// staleIfError is how long past that the last known digest is still served while the upstream cannot be
	// asked: time-out, refused, 429, 5xx. Never on 401 or 403. Default: 168h. From 0s (never) to 8760h.
	// +optional
	// +kubebuilder:default="168h"
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('0s') && duration(self) <= duration('8760h')",message="spec.mirror.tags.staleIfError must be from 0s to 8760h"
	StaleIfError *metav1.Duration `json:"staleIfError,omitempty"`

	// rules give tags policies of their own. The first rule that matches counts; a tag that none matches has the
	// policy TTL with revalidateAfter. At most 32.
	// Example: [{match: '.*:latest', policy: Always}, {match: '.*:v\d+\.\d+\.\d+', policy: Frozen}].
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=32
	Rules []TagRule `json:"rules,omitempty"`
}
