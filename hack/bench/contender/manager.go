package contender

import (
	"fmt"
	"path/filepath"
)

// Manager is what the operator's manager runs with.
type Manager struct {
	// Program is our binary.
	Program string
	// Directory for its configuration and its log. It must exist.
	Directory string
	// Kubeconfig names the API server.
	Kubeconfig string
	// Namespace of the operator.
	Namespace string
}

// StartManager starts the manager as the operator's Deployment does. It does not wait for anything.
func StartManager(manager Manager) (*Server, error) {
	server := &Server{place: Place{Directory: manager.Directory}}
	configuration, err := server.configure("operator.yaml", fmt.Sprintf(
		"apiVersion: config.registryhub.io/v1alpha1\nkind: OperatorConfiguration\nnamespace: %s\nimage: registry.example.com/registryhub:bench\n", manager.Namespace))
	if err != nil {
		return nil, fmt.Errorf("configuring the manager: %w", err)
	}
	server.process, err = launch(filepath.Join(manager.Directory, "log"), "env", "KUBECONFIG="+manager.Kubeconfig,
		manager.Program, "manager", "--config="+configuration, "--metrics-address=0", "--health-address=0")
	if err != nil {
		return nil, fmt.Errorf("starting the manager: %w", err)
	}
	return server, nil
}
