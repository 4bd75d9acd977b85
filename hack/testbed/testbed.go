// Package testbed drives the real cluster of hack/cluster, with the operator of this tree on it, for the demo and
// the end-to-end tests. It needs root on Linux.
package testbed

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/registryhub/registryhub/hack/cluster/plan"
)

// Node is one node of the cluster.
type Node struct {
	Name    string `json:"name"`
	Address string `json:"address"`
	// CertsDir is containerd's configuration of registries, a path inside the node.
	CertsDir string `json:"certsDir"`
}

// Volumes is the folder, inside a node, of the persistent volumes that lie on it.
func (Node) Volumes() string { return plan.VolumesFolder }

// Bed is a running cluster.
type Bed struct {
	// Nodes of the cluster.
	Nodes []Node `json:"nodes"`
	// Address of this machine on the cluster's network: nodes and Pods reach servers there.
	Address string `json:"address"`
	// CAFile and CAKeyFile are an authority that every node's containerd trusts.
	CAFile    string `json:"caFile"`
	CAKeyFile string `json:"caKeyFile"`
	// AuditLog is what the operator's ServiceAccounts asked the API server for, a file.
	AuditLog string `json:"auditLog"`
	// Kubeconfig of the cluster's administrator, a file.
	Kubeconfig string `json:"kubeconfig"`

	root string
}

// Fresh brings up a cluster that nobody has used, with a release of containerd, "2.4" or "1.6". One that is up is taken
// down first: there can be one on a machine. The build tree is found from the working directory.
func Fresh(ctx context.Context, containerd string) (*Bed, error) {
	root, err := moduleRoot(ctx)
	if err != nil {
		return nil, err
	}
	bed := &Bed{root: root}
	if err := bed.build(ctx); err != nil {
		return nil, err
	}
	if err := bed.Close(ctx); err != nil {
		return nil, err
	}
	if err := bed.stream(ctx, bed.tool(), "up", "--containerd", containerd); err != nil {
		return nil, err
	}
	status, err := bed.output(ctx, "", bed.tool(), "status", "--json")
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal([]byte(status), bed); err != nil {
		return nil, fmt.Errorf("reading the cluster's status: %w", err)
	}
	return bed, nil
}

// Close takes the cluster down.
func (b *Bed) Close(ctx context.Context) error { return b.stream(ctx, b.tool(), "down") }

// Kubectl runs kubectl as the cluster's administrator and returns what it prints.
func (b *Bed) Kubectl(ctx context.Context, args ...string) (string, error) {
	return b.output(ctx, "", b.tool(), append([]string{"kubectl"}, args...)...)
}

// Apply applies manifests, in YAML.
func (b *Bed) Apply(ctx context.Context, manifests string) error {
	_, err := b.output(ctx, manifests, b.tool(), "kubectl", "apply", "-f", "-")
	return err
}

// RestartContainerd restarts a node's containerd; its Pods keep running.
func (b *Bed) RestartContainerd(ctx context.Context, node string) error {
	return b.stream(ctx, b.tool(), "restart-containerd", node)
}

// Node runs a command inside a node and returns what it prints.
func (b *Bed) Node(ctx context.Context, node string, command ...string) (string, error) {
	return b.output(ctx, "", b.tool(), append([]string{"exec", node, "--"}, command...)...)
}

// Cache is the folder that keeps what was built or downloaded.
func (b *Bed) Cache() string {
	if override := os.Getenv("REGISTRYHUB_CACHE"); override != "" {
		return override
	}
	return filepath.Join(b.root, ".cache")
}

// Root is the folder of the build tree.
func (b *Bed) Root() string { return b.root }

func (b *Bed) tool() string { return filepath.Join(b.root, "bin", "cluster") }

func (b *Bed) build(ctx context.Context) error {
	_, err := b.output(ctx, "", "go", "build", "-o", b.tool(), "./hack/cluster")
	return err
}

// stream runs a command and shows its progress.
func (b *Bed) stream(ctx context.Context, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = b.root, os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("running %s %s: %w", filepath.Base(name), strings.Join(args, " "), err)
	}
	return nil
}

// output runs a command and returns what it prints; its complaints become the error.
func (b *Bed) output(ctx context.Context, input, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = b.root
	if input != "" {
		cmd.Stdin = strings.NewReader(input)
	}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return stdout.String(), fmt.Errorf("running %s %s: %w: %s", filepath.Base(name), strings.Join(args, " "), err, strings.TrimSpace(stderr.String()))
	}
	return stdout.String(), nil
}

// moduleRoot is the folder of the product's go.mod: the working directory's, or its ancestor's.
func moduleRoot(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "github.com/registryhub/registryhub").Output()
	if err != nil {
		return "", fmt.Errorf("finding the module github.com/registryhub/registryhub: run this inside its tree: %w", err)
	}
	return strings.TrimSpace(string(out)), nil
}
