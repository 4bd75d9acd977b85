package main

import (
	"encoding/json"
	"fmt"
)

const (
	smokeNamespace = "cluster-smoke"
	smokeImage     = "registryhub.local/probe:1"
)

// object is a piece of JSON.
type object = map[string]any

// smokeManifest returns what the smoke test runs, as one List.
func smokeManifest() []byte {
	role := smokeNamespace
	return encodeList(
		object{"apiVersion": "v1", "kind": "Namespace", "metadata": object{
			"name": smokeNamespace, "labels": object{"pod-security.kubernetes.io/enforce": "restricted"},
		}},
		object{"apiVersion": "v1", "kind": "ServiceAccount", "metadata": named("probe")},
		object{
			"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": object{"name": role},
			"rules": []object{{"apiGroups": []string{""}, "resources": []string{"nodes"}, "verbs": []string{"list"}}},
		},
		object{
			"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": object{"name": role},
			"roleRef":  object{"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
			"subjects": []object{{"kind": "ServiceAccount", "name": "probe", "namespace": smokeNamespace}},
		},
		object{"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": named("probe"), "spec": object{
			"selector": object{"matchLabels": object{"app": "probe"}},
			"template": object{"metadata": object{"labels": object{"app": "probe"}}, "spec": probeSpec(smokeImage)},
		}},
		object{"apiVersion": "v1", "kind": "Service", "metadata": named("probe"), "spec": object{
			"selector": object{"app": "probe"}, "ports": []object{{"port": 8080}},
		}},
		object{"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": named("data"), "spec": object{
			"accessModes": []string{"ReadWriteOncePod"}, "resources": object{"requests": object{"storage": "1Gi"}},
		}},
		object{"apiVersion": "v1", "kind": "Pod", "metadata": named("writer"), "spec": writerSpec()},
	)
}

// pullingPod returns a pod that runs an image on a node.
func pullingPod(node, image string) []byte {
	spec := probeSpec(image)
	spec["nodeName"] = node
	return encodeList(object{"apiVersion": "v1", "kind": "Pod", "metadata": named("pulled-" + node), "spec": spec})
}

func named(name string) object { return object{"name": name, "namespace": smokeNamespace} }

// probeSpec returns a pod that restricted Pod security admits.
func probeSpec(image string) object {
	return object{
		"serviceAccountName":            "probe",
		"terminationGracePeriodSeconds": 0,
		"securityContext":               object{"runAsNonRoot": true, "fsGroup": 65532, "seccompProfile": object{"type": "RuntimeDefault"}},
		"containers": []object{{
			"name": "probe", "image": image,
			"env": []object{{"name": "NODE", "valueFrom": object{"fieldRef": object{"fieldPath": "spec.nodeName"}}}},
			"securityContext": object{
				"allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "capabilities": object{"drop": []string{"ALL"}},
			},
			"readinessProbe": object{"httpGet": object{"path": "/node", "port": 8080}, "periodSeconds": 1},
		}},
	}
}

func writerSpec() object {
	spec := probeSpec(smokeImage)
	spec["volumes"] = []object{{"name": "data", "persistentVolumeClaim": object{"claimName": "data"}}}
	container := spec["containers"].([]object)[0]
	container["volumeMounts"] = []object{{"name": "data", "mountPath": "/data"}}
	return spec
}

// encodeList cannot fail on what this file makes: maps of strings, numbers, lists and maps.
func encodeList(items ...object) []byte {
	encoded, err := json.Marshal(object{"apiVersion": "v1", "kind": "List", "items": items})
	if err != nil {
		panic(fmt.Sprintf("encoding the smoke test's objects: %v", err))
	}
	return encoded
}
