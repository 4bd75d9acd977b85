// Package plan is what the test cluster looks like: addresses, files and command lines. It is pure;
// package main carries it out.
package plan

import "fmt"

// The addresses of the cluster. Nothing is reachable from outside the machine.
const (
	// HostAddress is the machine's own address on the cluster's network. Nodes and pods reach servers
	// there.
	HostAddress = "10.89.0.1"
	// ControlPlaneAddress is where the API server and the cluster's DNS listen.
	ControlPlaneAddress = "10.89.0.2"
	// Network holds the machine, the control plane and the nodes.
	Network = "10.89.0.0/24"
	// PodNetwork holds every pod.
	PodNetwork = "10.244.0.0/16"
	// ServiceNetwork holds every ClusterIP.
	ServiceNetwork = "10.96.0.0/16"
	// KubernetesService is the ClusterIP of the API server.
	KubernetesService = "10.96.0.1"
	// APIServer is the URL of the API server.
	APIServer = "https://" + ControlPlaneAddress + ":6443"
	// PauseImage is the image of every pod's sandbox container.
	PauseImage = "registryhub.local/pause:1"
)

// Folders inside every sandbox.
const (
	kubernetesFolder = "/etc/kubernetes"
	// Tools is where a sandbox has the cluster's programs, a folder for each kind.
	Tools = "/run/cluster"
	// Path is the PATH inside a sandbox.
	Path = Tools + "/kubernetes:" + Tools + "/containerd:" + Tools + "/runc:" + Tools + "/etcd:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
	// CertsFolder is containerd's registry configuration on a node.
	CertsFolder = "/etc/containerd/certs.d"
	// ContainerdSocket is containerd's socket on a node.
	ContainerdSocket = "/run/containerd/containerd.sock"
	// TestCA is the test authority's certificate on a node; Go programs there trust it.
	TestCA = "/etc/ssl/certs/registryhub-test-ca.pem"
	// NamesFile is the hosts file that the cluster's DNS answers from, in the control plane's sandbox.
	NamesFile = "/var/lib/names/hosts"
	// Self is this program inside a sandbox.
	Self = "/var/lib/cluster/cluster"
	// VolumesFolder has a node's persistent volumes, a folder for each.
	VolumesFolder = "/var/lib/registryhub-volumes"
)

// ControlPlane is the name of the sandbox that runs the control plane.
const ControlPlane = "control-plane"

// Node is one node of the cluster.
type Node struct {
	// Name is the node's name and that of its sandbox.
	Name string
	// Address is the node's address on the cluster's network.
	Address string
	// PodNetwork holds the node's pods.
	PodNetwork string
}

// Nodes returns count nodes.
func Nodes(count int) []Node {
	nodes := make([]Node, 0, count)
	for i := 1; i <= count; i++ {
		nodes = append(nodes, Node{
			Name:       fmt.Sprintf("node-%d", i),
			Address:    fmt.Sprintf("10.89.0.%d", 10+i),
			PodNetwork: fmt.Sprintf("10.244.%d.0/24", i),
		})
	}
	return nodes
}

// CgroupRoot is the cgroup that holds the node's pods, of its own for each node: kubelets end pods that
// they find in their cgroup and do not know.
func (n Node) CgroupRoot() string { return "/" + CgroupFolder + "/" + n.Name }

// CgroupFolder holds the cgroups of all nodes.
const CgroupFolder = "registryhub-cluster"
