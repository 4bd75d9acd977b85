package plan

import "github.com/registryhub/registryhub/hack/cluster/volumes"

// Storage returns the default storage class.
func Storage() []byte {
	return encode(object{
		"apiVersion":           "storage.k8s.io/v1",
		"kind":                 "StorageClass",
		"metadata":             object{"name": volumes.StorageClass, "annotations": object{"storageclass.kubernetes.io/is-default-class": "true"}},
		"provisioner":          volumes.Provisioner,
		"volumeBindingMode":    "WaitForFirstConsumer",
		"reclaimPolicy":        "Delete",
		"allowVolumeExpansion": true,
	})
}
