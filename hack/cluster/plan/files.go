package plan

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"

	"github.com/registryhub/registryhub/hack/cluster/pki"
)

// object is a piece of JSON; everything that reads these files reads YAML, of which JSON is a part.
type object = map[string]any

// encode cannot fail on what this package makes: maps of strings, numbers, lists and maps.
func encode(value any) []byte {
	encoded, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		panic(fmt.Sprintf("encoding a file of the cluster: %v", err))
	}
	return append(encoded, '\n')
}

// Kubeconfig returns a kubeconfig that leads to the API server as the client of pair.
func Kubeconfig(authority []byte, client pki.Pair) []byte {
	const name = "registryhub-cluster"
	return encode(object{
		"apiVersion": "v1",
		"kind":       "Config",
		"clusters": []object{{"name": name, "cluster": object{
			"server":                     APIServer,
			"certificate-authority-data": base64.StdEncoding.EncodeToString(authority),
		}}},
		"users": []object{{"name": name, "user": object{
			"client-certificate-data": base64.StdEncoding.EncodeToString(client.Certificate),
			"client-key-data":         base64.StdEncoding.EncodeToString(client.Key),
		}}},
		"contexts":        []object{{"name": name, "context": object{"cluster": name, "user": name}}},
		"current-context": name,
	})
}

// KubeletConfig returns the configuration of n's kubelet.
func (n Node) KubeletConfig() []byte {
	return encode(object{
		"apiVersion":               "kubelet.config.k8s.io/v1beta1",
		"kind":                     "KubeletConfiguration",
		"containerRuntimeEndpoint": "unix://" + ContainerdSocket,
		"authentication":           object{"x509": object{"clientCAFile": pkiFile("ca")}, "anonymous": object{"enabled": false}},
		"authorization":            object{"mode": "Webhook"},
		"tlsCertFile":              pkiFile("kubelet"),
		"tlsPrivateKeyFile":        pkiFile("kubelet-key"),
		"clusterDomain":            "cluster.local",
		"clusterDNS":               []string{ControlPlaneAddress},
		"resolvConf":               "/etc/resolv.conf",
		"cgroupDriver":             "cgroupfs",
		"cgroupRoot":               n.CgroupRoot(),
		"failCgroupV1":             false,
		"failSwapOn":               false,
		"volumePluginDir":          "/var/lib/kubelet/volume-plugins",
		// The disk is the machine's, and other things fill it.
		"evictionHard":                object{"memory.available": "100Mi", "nodefs.available": "1%", "nodefs.inodesFree": "1%", "imagefs.available": "1%"},
		"imageGCHighThresholdPercent": 100,
		"imageGCLowThresholdPercent":  99,
		"nodeStatusUpdateFrequency":   "2s",
		"nodeStatusReportFrequency":   "10s",
		"syncFrequency":               "5s",
		"logging":                     object{"format": "text"},
	})
}

// ContainerdConfig returns the configuration of a node's containerd of a supported release.
func ContainerdConfig(release string) []byte {
	if release == "1.6" {
		return []byte(fmt.Sprintf(containerd16, ContainerdSocket, PauseImage, Tools+"/cni", CertsFolder))
	}
	return []byte(fmt.Sprintf(containerd24, ContainerdSocket, CertsFolder, PauseImage, Tools+"/cni"))
}

// What would leave something on the machine is off: the opt plug-in makes a folder, and AppArmor
// profiles are the kernel's. NRI is off for nothing here uses it.
const containerd16 = `version = 2
disabled_plugins = ["io.containerd.internal.v1.opt"]

[grpc]
  address = %q

[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = %q
  restrict_oom_score_adj = true
  disable_apparmor = true

[plugins."io.containerd.grpc.v1.cri".cni]
  bin_dir = %q
  conf_dir = "/etc/cni/net.d"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"

[plugins."io.containerd.grpc.v1.cri".registry]
  config_path = %q
`

const containerd24 = `version = 3
disabled_plugins = ["io.containerd.internal.v1.opt"]

[grpc]
  address = %q

[plugins."io.containerd.nri.v1.nri"]
  disable = true

[plugins."io.containerd.cri.v1.images".registry]
  config_path = %q

[plugins."io.containerd.cri.v1.images".pinned_images]
  sandbox = %q

[plugins."io.containerd.cri.v1.runtime"]
  restrict_oom_score_adj = true
  disable_apparmor = true

[plugins."io.containerd.cri.v1.runtime".cni]
  bin_dirs = [%q]
  conf_dir = "/etc/cni/net.d"

[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"
`

// CNIConfig returns the configuration of n's pod network. Nothing is masqueraded: nodes know the way to
// each other's pods, and so does the machine.
func (n Node) CNIConfig() []byte {
	return encode(object{
		"cniVersion": "0.4.0",
		"name":       "pods",
		"plugins": []object{
			{
				"type": "bridge", "bridge": "pods", "isDefaultGateway": true, "hairpinMode": true,
				"ipam": object{"type": "host-local", "ranges": [][]object{{{"subnet": n.PodNetwork}}}},
			},
			{"type": "portmap", "capabilities": object{"portMappings": true}},
		},
	})
}

// HostsFile returns /etc/hosts of the machine called hostname.
func HostsFile(hostname string, nodes []Node) []byte {
	var text bytes.Buffer
	fmt.Fprintf(&text, "127.0.0.1 localhost %s\n::1 localhost\n%s %s\n", hostname, ControlPlaneAddress, ControlPlane)
	for _, node := range nodes {
		fmt.Fprintf(&text, "%s %s\n", node.Address, node.Name)
	}
	return text.Bytes()
}

// ResolvConf returns /etc/resolv.conf of a node.
func ResolvConf() []byte { return []byte("nameserver " + ControlPlaneAddress + "\n") }
