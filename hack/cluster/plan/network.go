package plan

import (
	"net"
	"net/netip"
)

// Network commands are lines for `ip -batch`. A node's pods are reached through the node's address;
// there is no way out of the machine.

const (
	bridge = "cluster"
	// HostInterface is the machine's interface on the cluster's network, all that the cluster adds to
	// the machine's own network.
	HostInterface = "registryhub0"
)

// HostLink returns what connects the machine, in the machine's network; pid is the control plane's.
func HostLink(pid string) []string {
	return []string{
		"link add " + HostInterface + " type veth peer name host netns " + pid,
		"address add " + HostAddress + "/24 dev " + HostInterface,
		"link set " + HostInterface + " up",
	}
}

// Bridge returns what makes the cluster's network and attaches the machine to it, in the control
// plane's network.
func Bridge() []string {
	return []string{
		"link set lo up",
		"link add " + bridge + " type bridge",
		"address add " + ControlPlaneAddress + "/24 dev " + bridge,
		"link set " + bridge + " up",
		"link set host master " + bridge + " up",
	}
}

// BridgeRoutes returns what leads the control plane to pods and services, in its network.
func BridgeRoutes(nodes []Node) []string { return routes(nodes, bridge) }

// HostRoutes returns what leads the machine to pods and services, in the machine's network.
func HostRoutes(nodes []Node) []string { return routes(nodes, HostInterface) }

// Port returns what attaches n to the bridge, in the control plane's network; pid is the node's.
func (n Node) Port(pid string) []string {
	return []string{
		"link add " + n.Name + " type veth peer name eth0 address " + n.linkAddress() + " netns " + pid,
		"link set " + n.Name + " master " + bridge + " up",
	}
}

// linkAddress is the hardware address of n's interface: a machine keeps its own over a reboot, and so others' tables of
// neighbours stay true. It is locally administered and made of the node's address.
func (n Node) linkAddress() string {
	address := netip.MustParseAddr(n.Address).As4()
	return net.HardwareAddr(append([]byte{2, 0}, address[:]...)).String()
}

// Link returns what sets up n's side, in the node's network.
func (n Node) Link(nodes []Node) []string {
	lines := []string{
		"link set lo up",
		"address add " + n.Address + "/24 dev eth0",
		"link set eth0 up",
		// For the first look at where a ClusterIP leads; kube-proxy's rules then choose the pod.
		"route add " + ServiceNetwork + " dev eth0",
	}
	return append(lines, podRoutes(nodes, n.Name, "eth0")...)
}

// routes leads to all pods, and to services through the first node, whose kube-proxy serves machines
// outside the cluster too.
func routes(nodes []Node, device string) []string {
	lines := podRoutes(nodes, "", device)
	if len(nodes) > 0 {
		lines = append(lines, "route add "+ServiceNetwork+" via "+nodes[0].Address+" dev "+device)
	}
	return lines
}

func podRoutes(nodes []Node, except, device string) []string {
	var lines []string
	for _, node := range nodes {
		if node.Name != except {
			lines = append(lines, "route add "+node.PodNetwork+" via "+node.Address+" dev "+device)
		}
	}
	return lines
}
