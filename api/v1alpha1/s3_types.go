package v1alpha1

import "k8s.io/apimachinery/pkg/api/resource"

// S3Storage describes the bucket that a hub's cache is kept in. Several replicas, and several hubs by prefixes of their own, may
// share a bucket.
// Example: {endpoint: https://s3.eu-central-1.amazonaws.com, region: eu-central-1, bucket: images, credentialsSecretRef: {name:
// images-bucket}, maxSize: 500Gi}.
// +kubebuilder:validation:XValidation:rule="has(self.prefix) == has(oldSelf.prefix) && (!has(self.prefix) || self.prefix == oldSelf.prefix)",message="spec.storage.s3.prefix cannot be changed; make another hub"
type S3Storage struct {
	// endpoint is the URL of the server: http or https, no path.
	// Example: https://s3.eu-central-1.amazonaws.com.
	// +required
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:XValidation:rule="self.matches('^https?://[^/?#@]+/?$')",message="spec.storage.s3.endpoint must be an http or https URL without a path; name the bucket in bucket"
	Endpoint string `json:"endpoint"`

	// region of the bucket. Default: us-east-1, which servers that know no regions answer to.
	// +optional
	// +kubebuilder:default=us-east-1
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Region string `json:"region,omitempty"`

	// bucket, which must exist. It cannot be changed. 3 to 63 characters.
	// +required
	// +kubebuilder:validation:MinLength=3
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9][a-z0-9.-]*[a-z0-9]$`
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="spec.storage.s3.bucket cannot be changed; make another hub"
	Bucket string `json:"bucket"`

	// prefix of all keys: names of letters, digits, dots, hyphens and underscores, with slashes between them. It cannot be
	// changed. Default: the hub's name.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=200
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*$`
	// +kubebuilder:validation:XValidation:rule="!self.contains('..')",message="spec.storage.s3.prefix must not hold two dots side by side"
	Prefix string `json:"prefix,omitempty"`

	// credentialsSecretRef names a Secret in the operator's namespace with the keys AWS_ACCESS_KEY_ID and
	// AWS_SECRET_ACCESS_KEY, and AWS_SESSION_TOKEN where there is one. A rotated Secret is used without a restart.
	// +required
	CredentialsSecretRef SecretReference `json:"credentialsSecretRef"`

	// caBundleRef names certificates that are trusted for the server beside the public roots. Default: none.
	// +optional
	CABundleRef *CABundleReference `json:"caBundleRef,omitempty"`

	// maxSize is how many bytes of images the hub keeps in the bucket; spec.storage.eviction speaks of shares of it. At least
	// 1Mi. Example: 500Gi.
	// +required
	// +kubebuilder:validation:XValidation:rule="quantity(string(self)).compareTo(quantity('1Mi')) >= 0",message="spec.storage.s3.maxSize must be at least 1Mi"
	MaxSize resource.Quantity `json:"maxSize"`

	// redirects sends nodes to the bucket for what is larger than 64 KiB, by signed URLs that are good for ten minutes. Nodes
	// must reach the endpoint and trust its certificate; one that does not pulls from the upstream. Default: false, and the hub
	// sends everything itself.
	// +optional
	Redirects bool `json:"redirects,omitempty"`

	// scratch is space on the Pod where images are until they are whole, and uploaded.
	// +optional
	// +kubebuilder:default={}
	Scratch S3Scratch `json:"scratch,omitempty"`
}

// S3Scratch is an emptyDir of each of a hub's Pods.
type S3Scratch struct {
	// sizeLimit of the emptyDir. What is fetched at once and has no room in nine tenths of it is not kept, and streams through.
	// Default: 20Gi. At least 16Mi.
	// +optional
	// +kubebuilder:default="20Gi"
	// +kubebuilder:validation:XValidation:rule="quantity(string(self)).compareTo(quantity('16Mi')) >= 0",message="spec.storage.s3.scratch.sizeLimit must be at least 16Mi"
	SizeLimit *resource.Quantity `json:"sizeLimit,omitempty"`
}
