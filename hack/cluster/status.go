package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/registryhub/registryhub/hack/cluster/kubeapi"
	"github.com/registryhub/registryhub/hack/cluster/plan"
	"github.com/registryhub/registryhub/hack/cluster/sandbox"
)

// Status is what `status --json` prints.
type Status struct {
	// Kubeconfig is the administrator's kubeconfig.
	Kubeconfig string `json:"kubeconfig"`
	// APIServer is the URL of the API server.
	APIServer string `json:"apiServer"`
	// Address is the machine's address on the cluster's network: nodes and pods reach servers there.
	Address string `json:"address"`
	// CAFile and CAKeyFile are the test authority, which every node's containerd trusts.
	CAFile    string `json:"caFile"`
	CAKeyFile string `json:"caKeyFile"`
	// NamesFile is a hosts file, resolved on all nodes and in all pods; append to it, or use `name`.
	NamesFile string `json:"namesFile"`
	// AuditLog is what the operator's ServiceAccounts asked the API server for, a file of audit.k8s.io/v1 Events.
	AuditLog string `json:"auditLog"`
	// ContainerdRelease is 2.4 or 1.6.
	ContainerdRelease string `json:"containerdRelease"`
	// Nodes are the cluster's nodes.
	Nodes []NodeStatus `json:"nodes"`
	// ControlPlane are the processes of the control plane.
	ControlPlane []sandbox.State `json:"controlPlane"`
}

// NodeStatus is one node in a [Status].
type NodeStatus struct {
	Name    string `json:"name"`
	Address string `json:"address"`
	// ContainerdSocket and CertsDir are paths inside the node.
	ContainerdSocket string `json:"containerdSocket"`
	CertsDir         string `json:"certsDir"`
	// PID is a process in the node's namespaces, for nsenter.
	PID int `json:"pid"`
	// VolumesDir and LogDir are paths on the machine: of the node's persistent volumes, a folder for
	// each PersistentVolume and called like it, and of the logs of its processes.
	VolumesDir string `json:"volumesDir"`
	LogDir     string `json:"logDir"`
	// Fault says why the node is not Ready; it is empty when it is.
	Fault string `json:"fault,omitempty"`
	// Processes are the node's processes.
	Processes []sandbox.State `json:"processes"`
}

func status(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("status", flag.ContinueOnError)
	asJSON := flags.Bool("json", false, "print JSON")
	if err := flags.Parse(args); err != nil {
		return err
	}
	current, err := running()
	if err != nil {
		return err
	}
	seen, err := current.status(ctx)
	if err != nil {
		return err
	}
	if *asJSON {
		encoder := json.NewEncoder(os.Stdout)
		encoder.SetIndent("", "  ")
		return encoder.Encode(seen)
	}
	_, err = fmt.Print(seen)
	return err
}

func (c *cluster) status(ctx context.Context) (*Status, error) {
	seen := &Status{
		Kubeconfig:        path("kubeconfig"),
		APIServer:         plan.APIServer,
		Address:           plan.HostAddress,
		CAFile:            path("test-ca.pem"),
		CAKeyFile:         path("test-ca-key.pem"),
		NamesFile:         namesFile(),
		AuditLog:          filepath.Join(path(plan.ControlPlane), plan.AuditLog),
		ContainerdRelease: c.Containerd,
	}
	var err error
	if seen.ControlPlane, err = controlPlane().States(ctx); err != nil {
		return nil, err
	}
	client, err := newAPI()
	if err != nil {
		return nil, err
	}
	for _, node := range c.nodes() {
		one, err := nodeStatus(ctx, client, node)
		if err != nil {
			return nil, err
		}
		seen.Nodes = append(seen.Nodes, one)
	}
	return seen, nil
}

func nodeStatus(ctx context.Context, client *kubeapi.Client, node plan.Node) (NodeStatus, error) {
	machine := sandboxOf(node.Name)
	pid, err := machine.PID()
	if err != nil {
		return NodeStatus{}, err
	}
	processes, err := machine.States(ctx)
	if err != nil {
		return NodeStatus{}, err
	}
	seen := NodeStatus{
		Name:             node.Name,
		Address:          node.Address,
		ContainerdSocket: plan.ContainerdSocket,
		CertsDir:         plan.CertsFolder,
		PID:              pid,
		VolumesDir:       filepath.Join(machine.Dir, plan.VolumesFolder),
		LogDir:           filepath.Join(machine.Dir, filepath.Dir(plan.LogFile("kubelet"))),
		Processes:        processes,
	}
	if fault := client.NodeReady(ctx, node.Name); fault != nil {
		seen.Fault = fault.Error()
	}
	return seen, nil
}

// String returns what `status` prints.
func (s *Status) String() string {
	var out strings.Builder
	fmt.Fprintf(&out, "kubeconfig    %s\nAPI server    %s\nthis machine  %s (as nodes and pods see it)\ntest CA       %s\nnames         %s\ncontainerd    %s\n",
		s.Kubeconfig, s.APIServer, s.Address, s.CAFile, s.NamesFile, s.ContainerdRelease)
	describe(&out, plan.ControlPlane, plan.ControlPlaneAddress, "", s.ControlPlane)
	for _, node := range s.Nodes {
		describe(&out, node.Name, node.Address, node.Fault, node.Processes)
	}
	return out.String()
}

// describe adds a machine and its processes.
func describe(out *strings.Builder, name, address, fault string, processes []sandbox.State) {
	if fault == "" {
		fault = "ready"
	}
	fmt.Fprintf(out, "%-13s %-11s %s\n", name, address, fault)
	for _, process := range processes {
		how := "runs"
		if !process.Running {
			how = process.Ended
		}
		fmt.Fprintf(out, "              %-24s %s\n", process.Name, how)
	}
}
