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
	// Source is what a person changes, where the distribution makes the configuration out of that; "": the files themselves.
	Source string
}

// runtimeLayouts of distributions by their certs directories: k3s and RKE2 (docs.k3s.io, docs.rke2.io), MicroK8s
// (microk8s.io), Talos (talos.dev). Theirs are each different, so that naming one names the distribution.
var runtimeLayouts = map[string]RuntimeLayout{
	"/var/lib/rancher/k3s/agent/etc/containerd/certs.d":  rancherLayout("k3s"),
	"/var/lib/rancher/rke2/agent/etc/containerd/certs.d": rancherLayout("rke2"),
	"/var/snap/microk8s/current/args/certs.d": layoutIn("/var/snap/microk8s/current/args", "/var/snap/microk8s/common/run/containerd.sock",
		"containerd.toml", "containerd-template.toml").from("/var/snap/microk8s/current/args/containerd-template.toml"),
	"/etc/cri/conf.d/hosts": layoutIn("/etc/cri", defaultSocket, "containerd.toml").
		from("the machine's configuration (a CRICustomizationConfig document, or machine.files with /etc/cri/conf.d/20-customization.part)"),
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
	folder := "/var/lib/rancher/" + distribution + "/agent/etc/containerd"
	return layoutIn(folder, "/run/k3s/containerd/containerd.sock", "config.toml").
		from(folder + "/config.toml.tmpl (config-v3.toml.tmpl for containerd 2.x), out of which " + distribution + " makes containerd's configuration")
}

func layoutIn(directory, socket string, files ...string) RuntimeLayout {
	layout := RuntimeLayout{ConfigDirectory: directory, Socket: socket}
	for _, file := range files {
		layout.ConfigFiles = append(layout.ConfigFiles, path.Join(directory, file))
	}
	return layout
}

func (l RuntimeLayout) from(source string) RuntimeLayout {
	l.Source = source
	return l
}
