package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/registryhub/registryhub/hack/cluster/plan"
	"github.com/registryhub/registryhub/hack/cluster/sandbox"
)

// stateFolder has everything of the machine's one cluster. It is not in memory, for it has the nodes'
// images, and not in the repository, so that any clone can end the cluster.
const stateFolder = "/var/lib/registryhub-cluster"

// cluster is the machine's cluster as it was asked for.
type cluster struct {
	// NodeCount is how many nodes there are.
	NodeCount int
	// Containerd is the nodes' containerd release.
	Containerd string
	// Programs are the folders of the programs that the cluster runs.
	Programs plan.Programs
	// Ready is set once the cluster has been up.
	Ready bool
}

// errNotUp says that there is no cluster to work with.
var errNotUp = errors.New("the cluster is not up: run `go run ./hack/cluster up` first")

func path(parts ...string) string {
	return filepath.Join(append([]string{stateFolder}, parts...)...)
}

// recorded returns the cluster that an earlier up recorded; errNotUp without one.
func recorded() (*cluster, error) {
	content, err := os.ReadFile(path("cluster.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errNotUp
	}
	if err != nil {
		return nil, fmt.Errorf("reading the cluster's record: %w", err)
	}
	var found cluster
	if err := json.Unmarshal(content, &found); err != nil {
		return nil, fmt.Errorf("decoding the cluster's record %s: %w (`go run ./hack/cluster down` removes it)", path("cluster.json"), err)
	}
	return &found, nil
}

// running returns the cluster if it has been brought up.
func running() (*cluster, error) {
	found, err := recorded()
	if err != nil {
		return nil, err
	}
	if !found.Ready {
		return nil, fmt.Errorf("the last up did not finish: %w", errNotUp)
	}
	return found, nil
}

func (c *cluster) record() error {
	content, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return fmt.Errorf("encoding the cluster's record: %w", err)
	}
	if err := os.WriteFile(path("cluster.json"), content, 0o600); err != nil {
		return fmt.Errorf("recording the cluster: %w", err)
	}
	return nil
}

func (c *cluster) nodes() []plan.Node { return plan.Nodes(c.NodeCount) }

// node returns the node called name.
func (c *cluster) node(name string) (plan.Node, error) {
	for _, node := range c.nodes() {
		if node.Name == name {
			return node, nil
		}
	}
	return plan.Node{}, fmt.Errorf("there is no node %q: the cluster has node-1 to node-%d", name, c.NodeCount)
}

func sandboxOf(name string) sandbox.Sandbox {
	return sandbox.Sandbox{Name: name, Dir: path(name)}
}

func controlPlane() sandbox.Sandbox { return sandboxOf(plan.ControlPlane) }
