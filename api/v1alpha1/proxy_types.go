package v1alpha1

import (
	corev1 "k8s.io/api/core/v1"
)

// ProxySpec are settings of the Pods that serve a hub. Changing one replaces the Pods; changing replicas does not.
// Example: {replicas: 2, resources: {limits: {memory: 256Mi}}, env: [{name: HTTPS_PROXY, value: "http://proxy.corp.example:3128"}]}.
type ProxySpec struct {
	// replicas is the number of Pods. More than 1 needs storage that several Pods can write to: a volume with the access mode
	// ReadWriteMany, or a bucket. Left out on such storage, the number is not the operator's: it begins as 1, and stays as a
	// HorizontalPodAutoscaler or kubectl scale sets it. On any other storage it is 1. At least 1, at most 100.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100
	Replicas *int32 `json:"replicas,omitempty"`

	// resources of the proxy's container. Default: none. Memory stays flat whatever the size of the images;
	// 256Mi is ample.
	// Example: {requests: {cpu: 100m, memory: 64Mi}, limits: {memory: 256Mi}}.
	// +optional
	Resources corev1.ResourceRequirements `json:"resources,omitempty"`

	// nodeSelector: labels that a node must have for the proxy's Pods to run there. Default: any node.
	// Example: {node-role.kubernetes.io/infra: ""}.
	// +optional
	// +kubebuilder:validation:MaxProperties=32
	NodeSelector map[string]string `json:"nodeSelector,omitempty"`

	// tolerations of the proxy's Pods. At most 32. Default: none.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=32
	Tolerations []corev1.Toleration `json:"tolerations,omitempty"`

	// affinity of the proxy's Pods, to nodes and to Pods. Default: none.
	// +optional
	Affinity *corev1.Affinity `json:"affinity,omitempty"`

	// topologySpreadConstraints of the proxy's Pods. One without a labelSelector is about the Pods of this hub. At most 8.
	// Default: none, or, on storage that several Pods can write to, Pods on different nodes where that can be.
	// Example: [{topologyKey: topology.kubernetes.io/zone, maxSkew: 1, whenUnsatisfiable: ScheduleAnyway}].
	// +optional
	// +listType=map
	// +listMapKey=topologyKey
	// +listMapKey=whenUnsatisfiable
	// +kubebuilder:validation:MaxItems=8
	TopologySpreadConstraints []corev1.TopologySpreadConstraint `json:"topologySpreadConstraints,omitempty"`

	// priorityClassName of the proxy's Pods. Default: the cluster's default.
	// Example: system-cluster-critical.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	PriorityClassName string `json:"priorityClassName,omitempty"`

	// annotations of the proxy's Pods, beside the operator's own. At most 32.
	// Example: {sidecar.istio.io/inject: "false"}.
	// +optional
	// +kubebuilder:validation:MaxProperties=32
	// +kubebuilder:validation:XValidation:rule="self.all(key, !key.startsWith('registryhub.io/'))",message="spec.proxy.annotations cannot have keys below registryhub.io/: they are the operator's own"
	Annotations map[string]string `json:"annotations,omitempty"`

	// labels of the proxy's Pods, beside the operator's own. At most 32.
	// Example: {cost-center: platform}.
	// +optional
	// +kubebuilder:validation:MaxProperties=32
	// +kubebuilder:validation:XValidation:rule="self.all(key, !key.startsWith('registryhub.io/') && !(key in ['app.kubernetes.io/name', 'app.kubernetes.io/component', 'app.kubernetes.io/managed-by', 'pod-template-hash']))",message="spec.proxy.labels cannot have keys below registryhub.io/, nor app.kubernetes.io/name, app.kubernetes.io/component, app.kubernetes.io/managed-by or pod-template-hash: they are not yours to give"
	Labels map[string]string `json:"labels,omitempty"`

	// env are variables of the environment of the proxy's process, such as HTTP_PROXY, HTTPS_PROXY and NO_PROXY, by which it
	// reaches its upstreams. At most 32. Default: none.
	// Example: [{name: HTTPS_PROXY, value: "http://proxy.corp.example:3128"}].
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=32
	Env []ProxyEnvVar `json:"env,omitempty"`

	// image of this hub's proxy, in place of the operator's own, of the same release. Default: the operator's.
	// Example: registry.corp.example/mirrored/registryhub:v0.1.0.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Image string `json:"image,omitempty"`

	// imagePullSecrets are Secrets in the operator's namespace, of type kubernetes.io/dockerconfigjson, that nodes pull the
	// proxy's image with. At most 8. Default: none.
	// Example: [{name: corp-registry}].
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=8
	ImagePullSecrets []SecretReference `json:"imagePullSecrets,omitempty"`
}

// ProxyEnvVar is a variable of the environment of a hub's proxy.
// Example: {name: HTTPS_PROXY, valueFrom: {secretKeyRef: {name: corp-proxy, key: url}}}.
// +kubebuilder:validation:XValidation:rule="!(has(self.value) && has(self.valueFrom))",message="a variable in spec.proxy.env has either value or valueFrom, not both"
type ProxyEnvVar struct {
	// name of the variable.
	// Example: NO_PROXY.
	// +required
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[A-Za-z_][A-Za-z0-9_]*$`
	Name string `json:"name"`

	// value of the variable. $(NAME) stands for the value of a variable that comes before. Default: empty.
	// Example: .corp.example,10.0.0.0/8.
	// +optional
	// +kubebuilder:validation:MaxLength=4096
	Value string `json:"value,omitempty"`

	// valueFrom is where the value comes from instead, such as a URL with a password in it.
	// +optional
	ValueFrom *ProxyEnvSource `json:"valueFrom,omitempty"`
}

// ProxyEnvSource is where the value of a variable comes from.
type ProxyEnvSource struct {
	// secretKeyRef names a key of a Secret in the operator's namespace. It is read when a Pod starts; a Secret that changes
	// later changes nothing until then.
	// +required
	SecretKeyRef SecretKeyReference `json:"secretKeyRef"`
}

// SecretKeyReference names a key of a Secret in the operator's namespace.
type SecretKeyReference struct {
	// name of the Secret.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`

	// key in the Secret.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Key string `json:"key"`
}
