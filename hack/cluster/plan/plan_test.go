package plan

import (
	"encoding/json"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pelletier/go-toml/v2"

	"github.com/registryhub/registryhub/hack/cluster/pki"
	"github.com/registryhub/registryhub/hack/cluster/sandbox"
)

func TestNodesHaveAddressesOfTheirOwn(t *testing.T) {
	network, pods := netip.MustParsePrefix(Network), netip.MustParsePrefix(PodNetwork)
	seen := map[string]bool{HostAddress: true, ControlPlaneAddress: true}
	for _, node := range Nodes(8) {
		podNetwork := netip.MustParsePrefix(node.PodNetwork)
		if !network.Contains(netip.MustParseAddr(node.Address)) || !pods.Overlaps(podNetwork) {
			t.Errorf("%+v is outside the cluster's networks", node)
		}
		for _, own := range []string{node.Name, node.Address, node.PodNetwork, node.CgroupRoot()} {
			if seen[own] {
				t.Errorf("%s is used twice", own)
			}
			seen[own] = true
		}
	}
}

func TestNodeKnowsTheWayToTheOtherNodesPodsOnly(t *testing.T) {
	nodes := Nodes(2)
	want := []string{
		"link set lo up",
		"address add 10.89.0.11/24 dev eth0",
		"link set eth0 up",
		"route add 10.96.0.0/16 dev eth0",
		"route add 10.244.2.0/24 via 10.89.0.12 dev eth0",
	}
	if diff := cmp.Diff(want, nodes[0].Link(nodes)); diff != "" {
		t.Errorf("commands (-want +got):\n%s", diff)
	}
}

func TestNodeKeepsItsHardwareAddress(t *testing.T) {
	want := []string{
		"link add node-1 type veth peer name eth0 address 02:00:0a:59:00:0b netns 7",
		"link set node-1 master cluster up",
	}
	if diff := cmp.Diff(want, Nodes(2)[0].Port("7")); diff != "" {
		t.Errorf("commands (-want +got):\n%s", diff)
	}
}

func TestMachineKnowsTheWayToPodsAndServices(t *testing.T) {
	want := []string{
		"route add 10.244.1.0/24 via 10.89.0.11 dev registryhub0",
		"route add 10.244.2.0/24 via 10.89.0.12 dev registryhub0",
		"route add 10.96.0.0/16 via 10.89.0.11 dev registryhub0",
	}
	if diff := cmp.Diff(want, HostRoutes(Nodes(2))); diff != "" {
		t.Errorf("commands (-want +got):\n%s", diff)
	}
}

// at returns what is at a path of keys in decoded TOML or JSON.
func at(t *testing.T, tree any, keys ...string) any {
	t.Helper()
	for i, key := range keys {
		table, ok := tree.(map[string]any)
		if !ok || table[key] == nil {
			t.Fatalf("there is nothing at %s", strings.Join(keys[:i+1], " / "))
		}
		tree = table[key]
	}
	return tree
}

func TestContainerdConfig(t *testing.T) {
	const runtime2, images2, cri1 = "io.containerd.cri.v1.runtime", "io.containerd.cri.v1.images", "io.containerd.grpc.v1.cri"
	for release, wants := range map[string]map[string]any{
		"2.4": {
			"version":      int64(3),
			"grpc address": ContainerdSocket,
			"plugins " + images2 + " registry config_path":                   CertsFolder,
			"plugins " + images2 + " pinned_images sandbox":                  PauseImage,
			"plugins " + runtime2 + " restrict_oom_score_adj":                true,
			"plugins " + runtime2 + " cni bin_dirs":                          []any{"/run/cluster/cni"},
			"plugins io.containerd.nri.v1.nri disable":                       true,
			"plugins " + runtime2 + " containerd runtimes runc runtime_type": "io.containerd.runc.v2",
		},
		"1.6": {
			"version":      int64(2),
			"grpc address": ContainerdSocket,
			"plugins " + cri1 + " registry config_path":                  CertsFolder,
			"plugins " + cri1 + " sandbox_image":                         PauseImage,
			"plugins " + cri1 + " restrict_oom_score_adj":                true,
			"plugins " + cri1 + " cni bin_dir":                           "/run/cluster/cni",
			"plugins " + cri1 + " containerd runtimes runc runtime_type": "io.containerd.runc.v2",
		},
	} {
		t.Run(release, func(t *testing.T) {
			var config map[string]any
			if err := toml.Unmarshal(ContainerdConfig(release), &config); err != nil {
				t.Fatal(err)
			}
			for keys, want := range wants {
				if diff := cmp.Diff(want, at(t, config, strings.Fields(keys)...)); diff != "" {
					t.Errorf("%s (-want +got):\n%s", keys, diff)
				}
			}
		})
	}
}

func TestKubeletConfig(t *testing.T) {
	var config map[string]any
	if err := json.Unmarshal(Nodes(2)[1].KubeletConfig(), &config); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]any{
		"kind": "KubeletConfiguration", "cgroupRoot": "/registryhub-cluster/node-2", "cgroupDriver": "cgroupfs",
		"failCgroupV1": false, "failSwapOn": false, "containerRuntimeEndpoint": "unix://" + ContainerdSocket,
	} {
		if got := at(t, config, key); got != want {
			t.Errorf("%s is %v, want %v", key, got, want)
		}
	}
}

func TestCNIConfig(t *testing.T) {
	var config struct {
		Plugins []struct {
			Type string
			IPAM struct{ Ranges [][]struct{ Subnet string } }
		}
	}
	if err := json.Unmarshal(Nodes(1)[0].CNIConfig(), &config); err != nil {
		t.Fatal(err)
	}
	if len(config.Plugins) != 2 || config.Plugins[0].Type != "bridge" || config.Plugins[0].IPAM.Ranges[0][0].Subnet != "10.244.1.0/24" {
		t.Errorf("plug-ins are %+v", config.Plugins)
	}
}

func TestKubeconfig(t *testing.T) {
	var config map[string]any
	if err := json.Unmarshal(Kubeconfig([]byte("ca"), pki.Pair{Certificate: []byte("cert"), Key: []byte("key")}), &config); err != nil {
		t.Fatal(err)
	}
	cluster := at(t, config["clusters"].([]any)[0], "cluster")
	user := at(t, config["users"].([]any)[0], "user")
	if diff := cmp.Diff(map[string]any{"server": APIServer, "certificate-authority-data": "Y2E="}, cluster); diff != "" {
		t.Errorf("cluster (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]any{"client-certificate-data": "Y2VydA==", "client-key-data": "a2V5"}, user); diff != "" {
		t.Errorf("user (-want +got):\n%s", diff)
	}
}

func TestStorageClassIsTheDefault(t *testing.T) {
	var class map[string]any
	if err := json.Unmarshal(Storage(), &class); err != nil {
		t.Fatal(err)
	}
	if got := at(t, class, "metadata", "annotations", "storageclass.kubernetes.io/is-default-class"); got != "true" {
		t.Errorf("default is %v, want true", got)
	}
}

func TestMountsCoverVarLast(t *testing.T) {
	programs := Programs{Kubernetes: "/cache/kubernetes", Containerd: "/cache/containerd", CNI: "/usr/lib/cni"}
	mounts := NodeMounts("/state/node-1", programs)
	position := map[string]int{}
	for i, mount := range mounts {
		position[mount.Target] = i
	}
	// What is below the machine's /var, and all of it may be, can be mounted only until /var is covered.
	for _, mount := range mounts[:position["/var"]] {
		if strings.HasPrefix(mount.Target, "/var") {
			t.Errorf("%s is mounted before /var and covered by it", mount.Target)
		}
	}
	want := []sandbox.Mount{
		{Kind: sandbox.Bind, Source: "/state/node-1/var", Target: "/var"},
		{Kind: sandbox.SharedBind, Source: "/var/lib/kubelet", Target: "/var/lib/kubelet"},
	}
	if diff := cmp.Diff(want, mounts[position["/var"]:]); diff != "" {
		t.Errorf("the last mounts (-want +got):\n%s", diff)
	}
	if _, found := position["/run/cluster/etcd"]; found {
		t.Error("a program that there is no folder for is mounted")
	}
}

func TestProcessesOfThisProgramNameTheirVerb(t *testing.T) {
	for verb, process := range map[string]sandbox.Process{"names": Names(), "volumes": Nodes(1)[0].Volumes()} {
		if process.Name != verb || process.Args[0] != Self || process.Args[1] != verb {
			t.Errorf("%s runs %q", process.Name, process.Args)
		}
	}
}

func TestHostsFile(t *testing.T) {
	want := "127.0.0.1 localhost node-1\n::1 localhost\n10.89.0.2 control-plane\n10.89.0.11 node-1\n10.89.0.12 node-2\n"
	if diff := cmp.Diff(want, string(HostsFile("node-1", Nodes(2)))); diff != "" {
		t.Errorf("hosts (-want +got):\n%s", diff)
	}
}
