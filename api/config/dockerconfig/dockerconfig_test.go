package dockerconfig

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/authn"
)

func TestFind(t *testing.T) {
	t.Parallel()
	const pair = "dTpwOnE=" // u:p:q
	cases := map[string]struct {
		content, prefix string
		want            Entry
	}{
		"a pair":                       {`{"auths":{"h":{"auth":"` + pair + `"}}}`, "", Entry{Username: "u", Password: "p:q", Auth: pair}},
		"a pair without its padding":   {`{"auths":{"h":{"auth":"dTpwOnE"}}}`, "", Entry{Username: "u", Password: "p:q", Auth: "dTpwOnE"}},
		"a name and a password":        {`{"auths":{"h":{"username":"u","password":"p"}}}`, "", Entry{Username: "u", Password: "p"}},
		"a pair goes before both":      {`{"auths":{"h":{"username":"x","password":"y","auth":"` + pair + `"}}}`, "", Entry{Username: "u", Password: "p:q", Auth: pair}},
		"an identity token":            {`{"auths":{"h":{"identitytoken":"t"}}}`, "", Entry{IdentityToken: "t"}},
		"the longest path that fits":   {`{"auths":{"h":{"identitytoken":"no"},"h/team":{"identitytoken":"t"},"h/team/b":{"identitytoken":"no"}}}`, "team/a", Entry{IdentityToken: "t"}},
		"nothing for the host":         {`{"auths":{"other":{"auth":"%"}}}`, "", Entry{}},
		"nothing at all":               {`{}`, "", Entry{}},
		"a helper for another host":    {`{"credHelpers":{"gcr.io":"gcloud"}}`, "", Entry{}},
		"a helper, and an entry of it": {`{"credsStore":"desktop","auths":{"h":{"identitytoken":"t"}}}`, "", Entry{IdentityToken: "t"}},
	}
	for what, c := range cases {
		got, err := Find([]byte(c.content), "h", c.prefix)
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}
}

func TestWhatCannotBeUsedIsToldWithoutItsContent(t *testing.T) {
	t.Parallel()
	for content, want := range map[string]string{
		`hunter2`:                                   "is not docker's config.json",
		`["hunter2"]`:                               "is not docker's config.json",
		`{"auths":{"h":{"auth":"hunter2!"}}}`:       `has a malformed entry "h"`,
		`{"auths":{"h":{"auth":"aHVudGVy"}}}`:       `has a malformed entry "h"`,
		`{"auths":{"h":"hunter2"}}`:                 `has a malformed entry "h"`,
		`{"credsStore":"desktop","auths":{"h":{}}}`: `the helper "desktop"`,
		`{"credHelpers":{"h":"ecr-login"}}`:         `the helper "ecr-login"`,
	} {
		_, err := Find([]byte(content), "h", "")
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter") {
			t.Errorf("%s: the error is %v, want one that says %q and nothing of the content", content, err, want)
		}
	}
}

// FuzzFind holds the entry of a single key to what go-containerregistry makes of it, and keys of others to nothing.
func FuzzFind(f *testing.F) {
	for _, seed := range []string{"", "h", "https://h/v1/", "h/team", "docker.io", "://", "h:443/"} {
		f.Add(seed, "dTpw")
	}
	f.Fuzz(func(t *testing.T, key, auth string) {
		content, err := json.Marshal(map[string]any{"auths": map[string]any{key: map[string]string{"auth": auth}}})
		if err != nil {
			t.Fatal(err)
		}
		got, err := Find(content, "h", "team/a")
		if (err != nil || got != (Entry{})) && !strings.Contains(strings.ToLower(key), "h") {
			t.Fatalf("%q is taken for the host", key)
		}
		var theirs authn.AuthConfig
		entry, marshalErr := json.Marshal(map[string]string{"auth": auth})
		if marshalErr != nil || json.Unmarshal(entry, &theirs) != nil || err != nil || got == (Entry{}) {
			return
		}
		if got.Username != theirs.Username || got.Password != theirs.Password {
			t.Errorf("%q is %q and %q, want %q and %q", auth, got.Username, got.Password, theirs.Username, theirs.Password)
		}
	})
}
