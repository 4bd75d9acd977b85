package testbed

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
)

// PowerOff ends a node as a power cut does.
func (b *Bed) PowerOff(ctx context.Context, node string) error {
	return b.stream(ctx, b.tool(), "power-off", node)
}

// PowerOn starts a node that is off from its disk, with those of its processes that are named, all of them without names.
// More can follow.
func (b *Bed) PowerOn(ctx context.Context, node string, processes ...string) error {
	return b.stream(ctx, b.tool(), append([]string{"power-on", node}, processes...)...)
}

// BootID tells one boot of a node from another, as its kubelet has reported it.
func (b *Bed) BootID(ctx context.Context, node string) (string, error) {
	out, err := b.Kubectl(ctx, "get", "node", node, "-o", "jsonpath={.status.nodeInfo.bootID}")
	return strings.TrimSpace(out), err
}

// RuntimeSocket is where a node's containerd can be reached from this machine, until the node is rebooted.
func (b *Bed) RuntimeSocket(ctx context.Context, node string) (string, error) {
	var status struct {
		Nodes []struct {
			Name             string `json:"name"`
			ContainerdSocket string `json:"containerdSocket"`
			PID              int    `json:"pid"`
		} `json:"nodes"`
	}
	out, err := b.output(ctx, "", b.tool(), "status", "--json")
	if err == nil {
		err = json.Unmarshal([]byte(out), &status)
	}
	if err != nil {
		return "", fmt.Errorf("looking for the runtime of %s: %w", node, err)
	}
	for _, one := range status.Nodes {
		if one.Name == node {
			return fmt.Sprintf("/proc/%d/root%s", one.PID, one.ContainerdSocket), nil
		}
	}
	return "", fmt.Errorf("looking for the runtime of %s: the cluster has no such node", node)
}
