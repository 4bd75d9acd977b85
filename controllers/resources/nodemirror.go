package resources

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/registryhub/registryhub/api/v1alpha1"
)

// NodeMirror is where a node's agent reports. It goes with its Node: a node that is made anew under the same name
// has a new UID, and starts with an empty report.
func NodeMirror(node *corev1.Node) *v1alpha1.NodeMirror {
	return &v1alpha1.NodeMirror{ObjectMeta: metav1.ObjectMeta{
		Name:   node.Name,
		Labels: managed(map[string]string{labelName: valueName, labelComponent: componentNodeAgent}),
		OwnerReferences: []metav1.OwnerReference{{
			APIVersion: "v1", Kind: "Node", Name: node.Name, UID: node.UID,
		}},
	}}
}
