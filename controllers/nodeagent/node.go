package nodeagent

import (
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
)

// slimNode keeps of a Node what the agent reads. The rest changes all the time and lists every image.
func slimNode(object any) (any, error) {
	if node, ok := object.(*corev1.Node); ok {
		runtime := node.Status.NodeInfo.ContainerRuntimeVersion
		node.ManagedFields, node.Annotations, node.Spec, node.Status = nil, nil, corev1.NodeSpec{}, corev1.NodeStatus{}
		node.Status.NodeInfo.ContainerRuntimeVersion = runtime
	}
	return object, nil
}

// otherNode lets those changes of the own Node through that slimNode leaves.
func otherNode() predicate.Predicate {
	return predicate.Or(predicate.LabelChangedPredicate{}, predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		before, isNode := e.ObjectOld.(*corev1.Node)
		after, isNodeToo := e.ObjectNew.(*corev1.Node)
		return isNode && isNodeToo && before.Status.NodeInfo.ContainerRuntimeVersion != after.Status.NodeInfo.ContainerRuntimeVersion
	}})
}
