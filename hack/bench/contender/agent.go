package contender

import (
	"fmt"
	"os"
	"path/filepath"
)

// Agent is what a node's agent runs with.
type Agent struct {
	// Program is our binary.
	Program string
	// Directory for the node's files and the agent's log, and Run for what the agent sees as /run. Both must exist.
	Directory, Run string
	// Kubeconfig names the API server.
	Kubeconfig string
	// Node is its name, and Namespace the operator's.
	Node, Namespace string
	// HealthAddress is host:port.
	HealthAddress string
}

// inItsRun has a program see a directory as /run: it is there that runtimes have their sockets. The process becomes the
// program, so that nothing else is measured.
const inItsRun = `mount --bind "$1" /run && shift && exec "$@"`

// StartAgent starts the agent as the operator's DaemonSet does. It does not wait for anything.
func StartAgent(agent Agent) (*Server, error) {
	args := []string{"--mount"}
	if os.Geteuid() != 0 {
		args = append(args, "--map-root-user")
	}
	args = append(args, "sh", "-c", inItsRun, "sh", agent.Run,
		"env", "KUBECONFIG="+agent.Kubeconfig, agent.Program, "node-agent",
		"--node-name="+agent.Node, "--namespace="+agent.Namespace,
		"--certs-directory="+filepath.Join(agent.Directory, "certs.d"), "--run-directory=/run/registryhub",
		"--health-address="+agent.HealthAddress, "--canary-interval=1h")
	started, err := launch(filepath.Join(agent.Directory, "log"), "unshare", args...)
	if err != nil {
		return nil, fmt.Errorf("starting the agent of a node: %w", err)
	}
	return &Server{process: started}, nil
}
