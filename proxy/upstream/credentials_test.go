package upstream

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/authn"

	config "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/proxy/distspec"
	"github.com/registryhub/registryhub/proxy/secretfile"
)

func b64(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

func load(t *testing.T, url string, cfg config.UpstreamConfiguration) (authn.AuthConfig, error) {
	t.Helper()
	base, err := distspec.ParseBase(url)
	if err != nil {
		t.Fatal(err)
	}
	got, err := newCredentialSource(cfg, base)()
	got.Auth = "" // Says the same as the name and the password.
	return got, err
}

func TestDockerConfigEntryForTheUpstream(t *testing.T) {
	hub := `{"auths":{"https://index.docker.io/v1/":{"auth":"` + b64("u:p:q") + `"}}}`
	up := authn.AuthConfig{Username: "u", Password: "p:q"}
	plain := func(key string) string { return `{"auths":{"` + key + `":{"username":"u","password":"p:q"}}}` }
	tests := map[string]struct {
		url, file string
		want      authn.AuthConfig
	}{
		"docker's own key for Docker Hub":         {"https://registry-1.docker.io", hub, up},
		"that key is for docker.io too":           {"https://docker.io", hub, up},
		"a plain host":                            {"https://quay.io", plain("quay.io"), up},
		"a host in capitals":                      {"https://quay.io", plain("Quay.IO"), up},
		"a URL":                                   {"https://quay.io", plain("https://quay.io"), up},
		"a URL of an old API":                     {"https://quay.io", plain("https://quay.io/v2/"), up},
		"a host with a port":                      {"https://h:5000", plain("h:5000"), up},
		"another port":                            {"https://h:5000", plain("h:5001"), authn.AuthConfig{}},
		"another host":                            {"https://ghcr.io", hub, authn.AuthConfig{}},
		"a host that ends alike":                  {"https://io", plain("quay.io"), authn.AuthConfig{}},
		"a repository prefix":                     {"https://h/team/a", plain("h/team"), up},
		"another repository prefix":               {"https://h/teams", plain("h/team"), authn.AuthConfig{}},
		"a prefix where the upstream has none":    {"https://h", plain("h/team"), authn.AuthConfig{}},
		"the longest of several":                  {"https://h/team", `{"auths":{"h":{"auth":"` + b64("x:y") + `"},"h/team":{"auth":"` + b64("u:p:q") + `"}}}`, up},
		"its own host before Docker Hub's others": {"https://registry-1.docker.io", `{"auths":{"docker.io":{"auth":"` + b64("x:y") + `"},"registry-1.docker.io":{"auth":"` + b64("u:p:q") + `"}}}`, up},
		"an identity token":                       {"https://h", `{"auths":{"h":{"identitytoken":"t"}}}`, authn.AuthConfig{IdentityToken: "t"}},
		"a malformed entry for another host":      {"https://h", `{"auths":{"x":{"auth":"%"},"h":{"username":"u","password":"p:q"}}}`, up},
		"no entries at all":                       {"https://h", `{}`, authn.AuthConfig{}},
		"a helper for another host":               {"https://h", `{"credHelpers":{"gcr.io":"gcloud"}}`, authn.AuthConfig{}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			file := writeFile(t, t.TempDir(), "config.json", tc.file)
			got, err := load(t, tc.url, config.UpstreamConfiguration{DockerConfigFile: file})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestDockerConfigThatCannotBeUsed(t *testing.T) {
	for name, content := range map[string]string{
		"no JSON":                    `hunter2`,
		"another JSON":               `["hunter2"]`,
		"an entry that is no base64": `{"auths":{"h":{"auth":"hunter2!"}}}`,
		"an entry without a colon":   `{"auths":{"h":{"auth":"` + b64("hunter2") + `"}}}`,
		"an entry of another kind":   `{"auths":{"h":"hunter2"}}`,
		"a store of credentials":     `{"credsStore":"desktop","auths":{"h":{}}}`,
		"a helper for the host":      `{"credHelpers":{"h":"ecr-login"}}`,
		"too large a file":           strings.Repeat(" ", 1<<20+1),
	} {
		t.Run(name, func(t *testing.T) {
			file := writeFile(t, t.TempDir(), "config.json", content)
			got, err := load(t, "https://h", config.UpstreamConfiguration{DockerConfigFile: file})
			checkFileError(t, file, got, err)
		})
	}
	got, err := load(t, "https://h", config.UpstreamConfiguration{DockerConfigFile: "/nowhere/config.json"})
	checkFileError(t, "/nowhere/config.json", got, err)
	directory := t.TempDir()
	got, err = load(t, "https://h", config.UpstreamConfiguration{DockerConfigFile: directory})
	checkFileError(t, directory, got, err)
}

func checkFileError(t *testing.T, file string, got any, err error) {
	t.Helper()
	e, ok := errors.AsType[*secretfile.Error](err)
	if !ok || e.File != file {
		t.Fatalf("got %+v and %v, want an error that names %s", got, err, file)
	}
	if strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), b64("hunter2")) {
		t.Errorf("the error tells the file's content: %v", err)
	}
}

func TestCredentialsDirectory(t *testing.T) {
	directory := basicAuth(t)
	cfg := config.UpstreamConfiguration{CredentialsDirectory: directory}
	want := authn.AuthConfig{Username: "robot", Password: "hunter2"}
	if got, err := load(t, "https://h", cfg); err != nil || got != want {
		t.Errorf("got %+v, %v", got, err)
	}
	file := writeFile(t, directory, ".dockerconfigjson", `{"auths":{"h":{"auth":"`+b64("x:y")+`"}}}`)
	if got, err := load(t, "https://h", cfg); err != nil || got.Username != "x" {
		t.Errorf("beside a .dockerconfigjson: got %+v, %v", got, err)
	}
	got, err := load(t, "https://other", cfg)
	checkFileError(t, file, got, err)
}

func TestCredentialsDirectoryThatCannotBeUsed(t *testing.T) {
	empty, half, blank := t.TempDir(), t.TempDir(), t.TempDir()
	writeFile(t, half, "username", "robot")
	writeFile(t, blank, "username", "robot")
	blankFile := writeFile(t, blank, "password", "\n")
	for directory, file := range map[string]string{empty: empty, half: half, blank: blankFile, "/nowhere": "/nowhere"} {
		got, err := load(t, "https://h", config.UpstreamConfiguration{CredentialsDirectory: directory})
		checkFileError(t, file, got, err)
	}
}

func FuzzParseChallenge(f *testing.F) {
	for _, seed := range []string{"", "Basic", `Bearer realm="https://a/t",service="s",scope="repository:a:pull"`, `Bearer realm="`, "Bearer ,,,=", "Negotiate x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, header string) {
		r := mustRequest(t)
		c, ok := parseChallenge(r, map[string][]string{"Www-Authenticate": {header}})
		if ok && c.scheme != "basic" && (c.scheme != "bearer" || c.realm == "") {
			t.Errorf("%q is read as %+v", header, c)
		}
	})
}
