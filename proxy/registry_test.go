package proxy_test

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/google/go-containerregistry/pkg/v1/validate"
	"golang.org/x/crypto/bcrypt"

	"github.com/registryhub/registryhub/proxy"
)

// pushed is a proxy that is pushed to, and a client's way to it.
type pushed struct {
	*running
	transport *http.Transport
}

// access is YAML of local.access.
func runLocal(t *testing.T, dir, access string) *pushed {
	t.Helper()
	return runLocalOn(t, fmt.Sprintf("{directory: %q}", dir), access)
}

// runLocalOn takes YAML of store as well.
func runLocalOn(t *testing.T, place, access string) *pushed {
	t.Helper()
	r := runWith(t, fmt.Sprintf(`
apiVersion: config.registryhub.io/v1alpha1
kind: ProxyConfiguration
hub: internal
listen: {registry: "127.0.0.1:0", diagnostics: "127.0.0.1:0"}
store: %s
local: {access: %s}
`, place, access), proxy.Limits{})
	p := &pushed{running: r, transport: &http.Transport{}}
	t.Cleanup(p.transport.CloseIdleConnections)
	return p
}

func (p *pushed) as(who authn.Authenticator) []remote.Option {
	return []remote.Option{remote.WithAuth(who), remote.WithTransport(p.transport)}
}

func (p *pushed) ref(t *testing.T, image string) name.Reference {
	t.Helper()
	ref, err := name.ParseReference(p.RegistryAddr().String()+"/"+image, name.Insecure)
	must(t, err)
	return ref
}

func htpasswd(t *testing.T, user, password string) string {
	t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "users")
	if err := os.WriteFile(file, []byte(user+":"+string(hash)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestAnImageIsPushedAndPulled(t *testing.T) {
	users := htpasswd(t, "alice", "secret")
	alice := &authn.Basic{Username: "alice", Password: "secret"}
	tests := map[string]struct {
		access   string
		pushes   authn.Authenticator
		pulls    authn.Authenticator
		refused  []authn.Authenticator // to push
		unpulled []authn.Authenticator
	}{
		"by anyone":                        {access: "{anonymous: Push}", pushes: authn.Anonymous, pulls: authn.Anonymous},
		"by users":                         {access: "{htpasswdFile: " + users + "}", pushes: alice, pulls: alice, refused: []authn.Authenticator{authn.Anonymous, &authn.Basic{Username: "alice", Password: "x"}}, unpulled: []authn.Authenticator{authn.Anonymous}},
		"by users, and pulled by everyone": {access: "{anonymous: Pull, htpasswdFile: " + users + "}", pushes: alice, pulls: authn.Anonymous, refused: []authn.Authenticator{authn.Anonymous}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			s := runLocal(t, t.TempDir(), tc.access)
			ref := s.ref(t, "team/app:v1")
			image := randomImage(t)
			for _, who := range tc.refused {
				if err := remote.Write(ref, image, s.as(who)...); !refusal(err) {
					t.Errorf("%v pushes: %v", who, err)
				}
			}
			if err := remote.Write(ref, image, s.as(tc.pushes)...); err != nil {
				t.Fatal(err)
			}
			for _, who := range tc.unpulled {
				if _, err := remote.Image(ref, s.as(who)...); !refusal(err) {
					t.Errorf("%v pulls: %v", who, err)
				}
			}
			got, err := remote.Image(ref, s.as(tc.pulls)...)
			if err != nil {
				t.Fatal(err)
			}
			if err := validate.Image(got); err != nil {
				t.Error(err)
			}
			wantSame(t, image, got)
		})
	}
}

func TestAnIndexIsPushedAndMountedElsewhere(t *testing.T) {
	s := runLocal(t, t.TempDir(), "{anonymous: Push}")
	anyone := s.as(authn.Anonymous)
	index, err := random.Index(1<<16, 2, 3)
	if err != nil {
		t.Fatal(err)
	}
	ref := s.ref(t, "team/app:v1")
	if err := remote.WriteIndex(ref, index, anyone...); err != nil {
		t.Fatal(err)
	}
	pulled, err := remote.Index(ref, anyone...)
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Index(pulled); err != nil {
		t.Error(err)
	}
	if err := remote.WriteIndex(s.ref(t, "team/copy:v1"), pulled, anyone...); err != nil {
		t.Fatal(err)
	}
	tags, err := remote.List(ref.Context(), anyone...)
	if err != nil || strings.Join(tags, " ") != "v1" {
		t.Errorf("got the tags %v, %v", tags, err)
	}
	if err := remote.Delete(ref, anyone...); err != nil {
		t.Fatal(err)
	}
	if _, err := remote.Head(ref, anyone...); err == nil {
		t.Error("the tag is there after it was deleted")
	}
}

func TestARestartLosesNothingThatWasPushed(t *testing.T) {
	dir := t.TempDir()
	image := randomImage(t)
	before := runLocal(t, dir, "{anonymous: Push}")
	must(t, remote.Write(before.ref(t, "team/app:v1"), image, before.as(authn.Anonymous)...))
	before.transport.CloseIdleConnections()
	before.stop()
	must(t, <-before.ended)
	after := runLocal(t, dir, "{anonymous: Push}")
	got, err := remote.Image(after.ref(t, "team/app:v1"), after.as(authn.Anonymous)...)
	must(t, err)
	wantSame(t, image, got)
}

func randomImage(t *testing.T) v1.Image {
	t.Helper()
	image, err := random.Image(1<<18, 3)
	if err != nil {
		t.Fatal(err)
	}
	return image
}

func wantSame(t *testing.T, want, got partial.WithRawManifest) {
	t.Helper()
	w, err := want.RawManifest()
	g, gotErr := got.RawManifest()
	if err := errors.Join(err, gotErr); err != nil {
		t.Fatal(err)
	}
	if string(w) != string(g) {
		t.Errorf("got the manifest %s, want %s", g, w)
	}
}

func refusal(err error) bool {
	e, ok := errors.AsType[*transport.Error](err)
	return ok && (e.StatusCode == http.StatusUnauthorized || e.StatusCode == http.StatusForbidden)
}
