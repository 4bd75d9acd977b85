package simulation

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// policy has the API server write down what the manager writes, and nothing else: who asked for what is in no metric of its.
const policy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: Metadata
  users: [%q]
  verbs: [create, update, patch, delete, deletecollection]
- level: None
`

// audit is the API server's own account of the manager's writes.
type audit struct{ policy, log string }

func newAudit(directory string) (audit, error) {
	a := audit{policy: filepath.Join(directory, "audit-policy.yaml"), log: filepath.Join(directory, "audit.log")}
	if err := os.WriteFile(a.policy, fmt.Appendf(nil, policy, managerUser), 0o600); err != nil {
		return a, fmt.Errorf("writing the API server's audit policy: %w", err)
	}
	return a, nil
}

// Writes are numbers of writes by "verb resource", with the subresource: "patch registryhubs/status".
type Writes map[string]int

// writes are all since the API server started.
func (a audit) writes() (Writes, error) {
	content, err := os.ReadFile(a.log)
	if err != nil && !os.IsNotExist(err) {
		return nil, fmt.Errorf("reading the API server's audit log: %w", err)
	}
	return countWrites(content)
}

func countWrites(log []byte) (Writes, error) {
	writes := Writes{}
	lines := bufio.NewScanner(bytes.NewReader(log))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var event struct {
			Verb      string `json:"verb"`
			ObjectRef struct {
				Resource    string `json:"resource"`
				Subresource string `json:"subresource"`
			} `json:"objectRef"`
		}
		if err := json.Unmarshal(lines.Bytes(), &event); err != nil {
			continue // the last line, which is being written
		}
		resource := strings.TrimSuffix(event.ObjectRef.Resource+"/"+event.ObjectRef.Subresource, "/")
		writes[event.Verb+" "+resource]++
	}
	return writes, lines.Err()
}

// since are those that an earlier count did not have.
func (w Writes) since(earlier Writes) Writes {
	later := Writes{}
	for what, count := range w {
		if more := count - earlier[what]; more > 0 {
			later[what] = more
		}
	}
	return later
}

// leases are the writes of the leader's Lease, and others all the rest.
func (w Writes) split() (leases, others int) {
	for what, count := range w {
		if strings.HasSuffix(what, " leases") {
			leases += count
			continue
		}
		others += count
	}
	return leases, others
}
