package rights

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const roles = `
kind: ServiceAccount
metadata: {name: someone}
---
kind: Role
metadata: {name: r, namespace: ours}
rules:
- {apiGroups: [""], resources: [secrets], verbs: [get, list], resourceNames: [one]}
- {apiGroups: [apps], resources: [deployments], verbs: [create, patch]}
---
kind: ClusterRole
metadata: {name: c}
rules:
- {apiGroups: [""], resources: [nodes/status], verbs: [patch]}
`

// logged has requests of an impersonated user, of a user, of another one, and one that was refused.
const logged = `
{"verb":"get","user":{"username":"admin"},"impersonatedUser":{"username":"u"},"objectRef":{"resource":"secrets","namespace":"ours","name":"one"},"responseStatus":{"code":404}}
{"verb":"list","user":{"username":"u"},"objectRef":{"resource":"secrets","namespace":"theirs","name":"one"},"responseStatus":{"code":200}}
{"verb":"patch","user":{"username":"u"},"objectRef":{"apiGroup":"apps","resource":"deployments","namespace":"ours","name":"d"},"responseStatus":{"code":201}}
{"verb":"patch","user":{"username":"v"},"objectRef":{"resource":"nodes","subresource":"status","name":"n"},"responseStatus":{"code":200}}
{"verb":"list","user":{"username":"u"},"objectRef":{"resource":"secrets","namespace":"ours","name":"one"},"responseStatus":{"code":403}}
`

func TestRightsThatNothingMadeUseOf(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	manifest, log := filepath.Join(folder, "roles.yaml"), filepath.Join(folder, "audit.log")
	for file, content := range map[string]string{manifest: roles, log: logged[1:]} {
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for user, want := range map[string][]string{
		"u": {"r: list secrets. [one]", "c: patch nodes/status. []"},
		"v": {"r: get secrets. [one]", "r: list secrets. [one]", "r: create deployments.apps []", "r: patch deployments.apps []"},
	} {
		unused, err := UnusedBy(user, log, manifest)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, unused); diff != "" {
			t.Errorf("unused by %s (-want +got):\n%s", user, diff)
		}
	}
}
