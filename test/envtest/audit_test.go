package envtest

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
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

// request is a request that the API server answered, as its authorizer sees it.
type request struct {
	verb, group, resource, namespace, name string
}

// of are the different requests that somebody made and that were not refused.
func (a *audit) of(user string) (map[request]bool, error) {
	file, err := os.Open(a.file())
	if err != nil {
		return nil, fmt.Errorf("opening the audit log: %w", err)
	}
	defer file.Close()
	made := map[request]bool{}
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var line auditLine
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			return nil, fmt.Errorf("reading the audit log: %w", err)
		}
		if cmp.Or(line.ImpersonatedUser.Username, line.User.Username) != user || line.ResponseStatus.Code == http.StatusForbidden {
			continue
		}
		for _, one := range line.requests() {
			made[one] = true
		}
	}
	return made, lines.Err()
}

// auditLine is what is read of an audit.k8s.io/v1 Event.
type auditLine struct {
	Verb                   string
	User, ImpersonatedUser struct{ Username string }
	ObjectRef              struct{ APIGroup, Resource, Subresource, Namespace, Name string }
	ResponseStatus         struct{ Code int }
}

// requests are those that the authorizer was asked about: server-side apply of what is not there needs create as well.
func (l auditLine) requests() []request {
	object := l.ObjectRef
	one := request{verb: l.Verb, group: object.APIGroup, resource: object.Resource, namespace: object.Namespace, name: object.Name}
	if object.Subresource != "" {
		one.resource += "/" + object.Subresource
	}
	if l.Verb != "patch" || l.ResponseStatus.Code != http.StatusCreated {
		return []request{one}
	}
	create := one
	create.verb, create.name = "create", ""
	return []request{one, create}
}
