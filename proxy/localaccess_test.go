package proxy_test

import (
	"fmt"
	"net/http"
	"testing"
)

// localConfiguration takes YAML of local.access.
func localConfiguration(dir, access string) string {
	return fmt.Sprintf(`
apiVersion: config.registryhub.io/v1alpha1
kind: ProxyConfiguration
hub: internal
listen: {registry: "127.0.0.1:0", diagnostics: "127.0.0.1:0"}
store: {directory: %q}
local: {access: %s}
`, dir, access)
}

// wantPush has somebody begin an upload; nobody without a user.
func (f *followed) wantPush(t *testing.T, user, password string, want int) {
	t.Helper()
	r, err := http.NewRequest(http.MethodPost, f.url("app/blobs/uploads/"), nil)
	must(t, err)
	if user != "" {
		r.SetBasicAuth(user, password)
	}
	resp, err := f.client.Do(r)
	must(t, err)
	must(t, resp.Body.Close())
	if resp.StatusCode != want {
		t.Errorf("%q begins an upload: got %d, want %d", user, resp.StatusCode, want)
	}
}

func TestAnErrorInWhoMayPushClosesARegistryUntilItIsMended(t *testing.T) {
	t.Setenv("KUBERNETES_SERVICE_HOST", "")
	users, others := htpasswd(t, "alice", "secret"), htpasswd(t, "bob", "secret")
	for name, tc := range map[string]struct {
		before, refused             string
		anyone, alice               int
		anyoneRefused, aliceRefused int
	}{
		"which was open, and whose users are missing": {
			"{anonymous: Push}", "{anonymous: Push, htpasswdFile: /nonexistent/users}", 202, 202, 403, 403,
		},
		"which was closed, and would be open but for a cluster": {
			"{htpasswdFile: " + users + "}", "{anonymous: Push, kubernetes: {}}", 401, 202, 403, 403,
		},
		"whose users are the same but for a cluster": {
			"{htpasswdFile: " + users + "}", "{anonymous: Pull, htpasswdFile: " + users + ", kubernetes: {}}", 401, 202, 401, 202,
		},
		"whose users are others but for a cluster": {
			"{htpasswdFile: " + others + "}", "{htpasswdFile: " + users + ", kubernetes: {}}", 401, 401, 401, 401,
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			before, next := localConfiguration(dir, tc.before), localConfiguration(dir, tc.refused)
			f := runFile(t, before)
			f.wantPush(t, "", "", tc.anyone)
			f.wantPush(t, "alice", "secret", tc.alice)
			f.write(t, next)
			f.await(t, "it is refused", refused(next))
			f.wantPush(t, "", "", tc.anyoneRefused)
			f.wantPush(t, "alice", "secret", tc.aliceRefused)
			f.write(t, before)
			f.await(t, "the one before is back", inForce(before))
			f.wantPush(t, "", "", tc.anyone)
			f.wantPush(t, "alice", "secret", tc.alice)
		})
	}
}
