package envtest

import (
	"fmt"
	"os"
	"path/filepath"

	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

// auditPolicy has the API server tell of every request: who, what, and with which answer.
const auditPolicy = `{"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "omitStages": ["RequestReceived"], "rules": [{"level": "Metadata"}]}`

// audit is what the API server has written of the requests that it was sent.
type audit struct{ directory string }

// auditOf has an API server that is not started yet keep an audit log.
func auditOf(environment *envtest.Environment) (*audit, error) {
	directory, err := os.MkdirTemp("", "registryhub-audit-")
	if err != nil {
		return nil, fmt.Errorf("making a folder for the audit log: %w", err)
	}
	policy := filepath.Join(directory, "policy.json")
	if err := os.WriteFile(policy, []byte(auditPolicy), 0o600); err != nil {
		return nil, fmt.Errorf("writing the audit policy: %w", err)
	}
	a := &audit{directory: directory}
	environment.ControlPlane.GetAPIServer().Configure().
		Set("audit-policy-file", policy).
		Set("audit-log-path", a.file()).
		Set("audit-log-maxsize", "4096") // MiB: one file
	return a, nil
}

func (a *audit) file() string { return filepath.Join(a.directory, "audit.log") }

func (a *audit) remove() error { return os.RemoveAll(a.directory) }
