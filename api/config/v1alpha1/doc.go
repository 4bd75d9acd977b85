// Package v1alpha1 holds the files that the parts of RegistryHub read: OperatorConfiguration, which a person
// writes for the manager; ProxyConfiguration and NodeConfiguration, which the operator writes for the proxy and
// for the nodes' agents. The operator and the proxy never import each other: they meet here.
//
// Every file is decoded strictly: a field that is not known, or is given twice, is an error that names it.
//
// +kubebuilder:object:generate=true
package v1alpha1

import "k8s.io/apimachinery/pkg/runtime/schema"

// GroupVersion is the group and version of every file of this package.
var GroupVersion = schema.GroupVersion{Group: "config.registryhub.io", Version: "v1alpha1"}
