package plan

import (
	"maps"
	"path/filepath"
	"sort"

	"github.com/registryhub/registryhub/hack/cluster/sandbox"
)

// Programs are the folders of the cluster's programs on the machine.
type Programs struct {
	Kubernetes, Containerd, Runc, Etcd, CNI string
}

func (p Programs) byName() map[string]string {
	return map[string]string{"kubernetes": p.Kubernetes, "containerd": p.Containerd, "runc": p.Runc, "etcd": p.Etcd, "cni": p.CNI}
}

// shadowed are the kernel parameters that kubelet writes though they belong to the whole machine. In
// a node's sandbox plain files with the values that kubelet wants are over them.
var shadowed = map[string]string{
	"kernel/panic":              "10\n",
	"kernel/panic_on_oops":      "1\n",
	"kernel/keys/root_maxbytes": "25000000\n",
	"kernel/keys/root_maxkeys":  "1000000\n",
	"vm/overcommit_memory":      "1\n",
	"vm/panic_on_oom":           "0\n",
}

// BootIDFile is the file, in a node's folder, that tells one boot of the node from another, as kubelet reports it. The
// machine's own would be the same after the node's reboot.
const BootIDFile = "sysctl/kernel/random/boot_id"

// Mounts returns the mounts of the sandbox whose folder is folder. /run is empty and in memory, /var
// is the sandbox's own, and changes to /etc stay in the sandbox.
func Mounts(folder string, programs Programs) []sandbox.Mount {
	mounts := []sandbox.Mount{{Kind: sandbox.Tmpfs, Target: "/run"}}
	for name, source := range programs.byName() {
		if source != "" {
			mounts = append(mounts, sandbox.Mount{Kind: sandbox.Bind, Source: source, Target: Tools + "/" + name})
		}
	}
	sort.Slice(mounts[1:], func(i, j int) bool { return mounts[1+i].Target < mounts[1+j].Target })
	return append(mounts,
		sandbox.Mount{Kind: sandbox.Overlay, Source: filepath.Join(folder, "etc"), Target: "/etc", Work: filepath.Join(folder, "etc-work")},
	)
}

// NodeMounts returns the mounts of a node's sandbox.
func NodeMounts(folder string, programs Programs) []sandbox.Mount {
	mounts := Mounts(folder, programs)
	for _, file := range sortedKeys(shadowed) {
		mounts = append(mounts, sandbox.Mount{Kind: sandbox.Bind, Source: filepath.Join(folder, "sysctl", file), Target: "/proc/sys/" + file})
	}
	return append(mounts,
		sandbox.Mount{Kind: sandbox.Bind, Source: filepath.Join(folder, BootIDFile), Target: "/proc/sys/kernel/random/boot_id"},
		varMount(folder),
		sandbox.Mount{Kind: sandbox.SharedBind, Source: "/var/lib/kubelet", Target: "/var/lib/kubelet"},
	)
}

// ControlPlaneMounts returns the mounts of the control plane's sandbox.
func ControlPlaneMounts(folder string, programs Programs) []sandbox.Mount {
	return append(Mounts(folder, programs), varMount(folder))
}

// varMount comes after all mounts whose sources are below the machine's /var.
func varMount(folder string) sandbox.Mount {
	return sandbox.Mount{Kind: sandbox.Bind, Source: filepath.Join(folder, "var"), Target: "/var"}
}

// NodeSysctls are the kernel parameters of a node's own network.
func NodeSysctls() map[string]string { return map[string]string{"net/ipv4/ip_forward": "1"} }

// Shadowed returns the kernel parameters, as files below /proc/sys, that a node has to itself.
func Shadowed() map[string]string { return maps.Clone(shadowed) }

func sortedKeys(values map[string]string) []string {
	keys := make([]string, 0, len(values))
	for key := range values {
		keys = append(keys, key)
	}
	sort.Strings(keys)
	return keys
}
