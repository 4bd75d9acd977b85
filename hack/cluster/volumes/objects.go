package volumes

// StorageClass is the name of the class that this provisioner serves.
const StorageClass = "local"

// The parts of Kubernetes objects that matter here.

type list[T any] struct {
	Items []T
}

type metadata struct {
	Name, Namespace, UID string
	Annotations          map[string]string
}

type claim struct {
	Metadata metadata
	Spec     struct {
		StorageClassName, VolumeName string
		VolumeMode                   string
		AccessModes                  []string
		Resources                    struct {
			Requests map[string]string
		}
	}
	Status struct {
		Phase    string
		Capacity map[string]string
	}
}

// size is how much a claim asks for.
func (c claim) size() string { return c.Spec.Resources.Requests["storage"] }

// volumeName is the name that a claim's volume has, the one that external provisioners use.
func (c claim) volumeName() string { return "pvc-" + c.Metadata.UID }

type volume struct {
	Metadata metadata
	Spec     struct {
		ReclaimPolicy string `json:"persistentVolumeReclaimPolicy"`
	}
	Status struct{ Phase string }
}

// object is a piece of JSON.
type object = map[string]any

// volumeFor returns the PersistentVolume in folder for a claim.
func (n Node) volumeFor(wanted claim, folder string) object {
	return object{
		"apiVersion": "v1",
		"kind":       "PersistentVolume",
		"metadata": object{
			"name":        wanted.volumeName(),
			"annotations": object{provisionedBy: Provisioner, selectedNode: n.Name},
		},
		"spec": object{
			"storageClassName":              StorageClass,
			"capacity":                      object{"storage": wanted.size()},
			"accessModes":                   wanted.Spec.AccessModes,
			"volumeMode":                    wanted.Spec.VolumeMode,
			"persistentVolumeReclaimPolicy": "Delete",
			"local":                         object{"path": folder},
			"claimRef": object{
				"apiVersion": "v1", "kind": "PersistentVolumeClaim",
				"namespace": wanted.Metadata.Namespace, "name": wanted.Metadata.Name, "uid": wanted.Metadata.UID,
			},
			"nodeAffinity": object{"required": object{"nodeSelectorTerms": []object{{
				"matchExpressions": []object{{"key": "kubernetes.io/hostname", "operator": "In", "values": []string{n.Name}}},
			}}}},
		},
	}
}
