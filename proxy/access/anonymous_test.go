package access_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/registryhub/registryhub/proxy/access"
)

func TestATokenOfNobodyIsForWhatAnyoneMayDoNow(t *testing.T) {
	const app = "team/app"
	none, pull, push := policy(access.AnonymousNone), policy(access.AnonymousPull), policy(access.AnonymousPush)
	scope := "repository:team/app:pull,push,delete"
	nobodys, alices := "Bearer "+token(t, push, scope), "Bearer "+token(t, push, scope, "alice", "secret")
	try(t, map[string]attempt{
		"it deletes where anyone does":   {push, nobodys, app, access.Delete, 0},
		"it pulls where anyone does":     {pull, nobodys, app, access.Pull, 0},
		"it pushes where anyone pulls":   {pull, nobodys, app, access.Push, 401},
		"it deletes where anyone pulls":  {pull, nobodys, app, access.Delete, 401},
		"it pulls where nobody may":      {none, nobodys, app, access.Pull, 401},
		"a user's pushes where users do": {none, alices, app, access.Push, 0},
	})
	r := httptest.NewRequest(http.MethodPost, "/v2/other/blobs/uploads/", nil)
	r.Header.Set("Authorization", nobodys)
	if none.MayMount(r, app) {
		t.Error("it mounts where nobody may pull")
	}
}
