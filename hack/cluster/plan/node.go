package plan

import "github.com/registryhub/registryhub/hack/cluster/sandbox"

// Containerd returns a node's containerd. It trusts the system's roots and the test authority.
func Containerd() sandbox.Process {
	process := component("containerd", "--config=/etc/containerd/config.toml")
	process.Env = []string{"SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt", "SSL_CERT_DIR=/etc/ssl/certs"}
	return process
}

// Kubelet returns the kubelet of n.
func (n Node) Kubelet() sandbox.Process {
	return component("kubelet",
		"--config="+kubernetesFolder+"/kubelet.json",
		"--kubeconfig="+kubeconfig("kubelet"),
		"--hostname-override="+n.Name,
		"--node-ip="+n.Address,
	)
}

// Volumes returns the provisioner of n's persistent volumes.
func (n Node) Volumes() sandbox.Process {
	return self("volumes", "--node="+n.Name, "--folder="+VolumesFolder)
}

// KubeProxy returns the kube-proxy of n.
func (n Node) KubeProxy() sandbox.Process {
	return component("kube-proxy",
		"--kubeconfig="+kubeconfig("kube-proxy"),
		"--hostname-override="+n.Name,
		"--proxy-mode=iptables",
		"--cluster-cidr="+PodNetwork,
		// The table of tracked connections belongs to the whole machine.
		"--conntrack-max-per-core=0",
	)
}
