package v1alpha1

import "path"

// RuntimeLayout is where a distribution of Kubernetes keeps its container runtime's files.
//
// +kubebuilder:object:generate=false
type RuntimeLayout struct {
	// ConfigDirectory holds the configuration files, with what they import in the distribution's own set-up.
	ConfigDirectory string
	// ConfigFiles are what the main file can be; the first that is there is.
	ConfigFiles []string
	// Socket serves the CRI.
	Socket string
	// LaterRoots are the directories in which the runtime may look for hosts after the certs directory.
	LaterRoots []string
}

// runtimeLayouts of distributions by their certs directories: k3s and RKE2 (docs.k3s.io, docs.rke2.io), MicroK8s
// (microk8s.io), Talos (talos.dev). Theirs are each different, so that naming one names the distribution.
var runtimeLayouts = map[string]RuntimeLayout{
	"/var/lib/rancher/k3s/agent/etc/containerd/certs.d":  rancherLayout("k3s"),
	"/var/lib/rancher/rke2/agent/etc/containerd/certs.d": rancherLayout("rke2"),
	"/var/snap/microk8s/current/args/certs.d": layoutIn("/var/snap/microk8s/current/args", "/var/snap/microk8s/common/run/containerd.sock",
		"containerd.toml", "containerd-template.toml"),
	"/etc/cri/conf.d/hosts": layoutIn("/etc/cri", defaultSocket, "containerd.toml"),
}

const defaultSocket = "/run/containerd/containerd.sock"

// RuntimeLayoutOf is the layout that goes with a certs directory: that of containerd's own packages, where it is not one
// that a distribution is known by.
func RuntimeLayoutOf(certsDirectory string) RuntimeLayout {
	if layout, known := runtimeLayouts[certsDirectory]; known {
		return layout
	}
	layout := layoutIn("/etc/containerd", defaultSocket, "config.toml")
	if certsDirectory != dockerRoot {
		layout.LaterRoots = []string{dockerRoot}
	}
	return layout
}

// dockerRoot is the second directory of containerd's config_path, as it is by default from 2.2 on, and on EKS.
const dockerRoot = "/etc/docker/certs.d"

// rancherLayout is that of k3s, and of RKE2 whose containerd uses k3s's socket.
func rancherLayout(distribution string) RuntimeLayout {
	return layoutIn("/var/lib/rancher/"+distribution+"/agent/etc/containerd", "/run/k3s/containerd/containerd.sock", "config.toml")
}

func layoutIn(directory, socket string, files ...string) RuntimeLayout {
	layout := RuntimeLayout{ConfigDirectory: directory, Socket: socket}
	for _, file := range files {
		layout.ConfigFiles = append(layout.ConfigFiles, path.Join(directory, file))
	}
	return layout
}
