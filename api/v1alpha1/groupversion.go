// Package v1alpha1 is the API that people write: RegistryHub, and NodeMirror, in which each node says what it
// made of the hubs. It imports only the standard library and apimachinery (and k8s.io/api/core/v1), so that
// other projects can import it without importing the operator.
//
// +kubebuilder:object:generate=true
// +groupName=registryhub.io
package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// GroupVersion is the group and version of every kind in this package.
var GroupVersion = schema.GroupVersion{Group: "registryhub.io", Version: "v1alpha1"}

// AddToScheme registers the kinds of this package with a scheme.
func AddToScheme(scheme *runtime.Scheme) error {
	scheme.AddKnownTypes(GroupVersion, &RegistryHub{}, &RegistryHubList{}, &NodeMirror{}, &NodeMirrorList{})
	metav1.AddToGroupVersion(scheme, GroupVersion)
	return nil
}
