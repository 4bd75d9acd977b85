package proxy_test

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/google/go-containerregistry/pkg/v1/validate"
	"golang.org/x/crypto/bcrypt"

	"github.com/registryhub/registryhub/proxy"
)

// chain is a mirror whose upstream is a registry that is pushed to, over TLS, by a user.
type chain struct {
	registry, mirror *running
	// client trusts the registry's CA.
	client *http.Client
	// users is the registry's file, credentials the mirror's directory.
	users, credentials string
}

const twoProxies = `
apiVersion: config.registryhub.io/v1alpha1
kind: ProxyConfiguration
hub: %s
listen: {registry: "127.0.0.1:0", diagnostics: "127.0.0.1:0"%s}
store: {directory: %q}
%s
`

func newChain(t *testing.T) *chain {
	t.Helper()
	authority := newAuthority(t)
	c := &chain{users: filepath.Join(t.TempDir(), "users"), credentials: t.TempDir(), client: tlsClient(t, authority)}
	c.setPassword(t, "alice", "secret")
	c.login(t, "alice", "secret")
	certificate := mountSecret(t, authority, time.Now().Add(time.Hour), nil)
	c.registry = runToItsEnd(t, fmt.Sprintf(twoProxies, "internal", fmt.Sprintf(", tls: {certificateDirectory: %q}", certificate.directory),
		t.TempDir(), fmt.Sprintf("local: {access: {htpasswdFile: %q}}", c.users)))
	trusted := filepath.Join(t.TempDir(), "ca.crt")
	must(t, os.WriteFile(trusted, []byte(pemOf("CERTIFICATE", authority.certificate.Raw)), 0o600))
	upstream := fmt.Sprintf("{name: internal, url: %q, credentialsDirectory: %q, caFile: %q}", "https://"+c.registry.RegistryAddr().String(), c.credentials, trusted)
	c.mirror = runToItsEnd(t, fmt.Sprintf(twoProxies, "elsewhere", "", t.TempDir(),
		"mirror: {tags: {revalidateAfter: 1ns}, hosts: [{host: registry.internal, upstreams: ["+upstream+"]}]}"))
	t.Cleanup(c.client.CloseIdleConnections) // a connection that was never used is waited for
	return c
}

// runToItsEnd is runWith of a proxy whose transfers are over when the test removes its directory.
func runToItsEnd(t *testing.T, content string) *running {
	t.Helper()
	r := runWith(t, content, proxy.Limits{})
	t.Cleanup(func() {
		r.stop()
		must(t, <-r.ended)
	})
	return r
}

// setPassword makes one user of the registry, in place of all others.
func (c *chain) setPassword(t *testing.T, user, password string) {
	t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	must(t, err)
	must(t, os.WriteFile(c.users+".next", []byte(user+":"+string(hash)+"\n"), 0o600))
	must(t, os.Rename(c.users+".next", c.users))
}

// login has the mirror show a user and a password.
func (c *chain) login(t *testing.T, user, password string) {
	t.Helper()
	must(t, os.WriteFile(filepath.Join(c.credentials, "username"), []byte(user), 0o600))
	must(t, os.WriteFile(filepath.Join(c.credentials, "password"), []byte(password), 0o600))
}

func (c *chain) at(t *testing.T, of *running, image string) name.Reference {
	t.Helper()
	ref, err := name.ParseReference(of.RegistryAddr().String() + "/" + image)
	must(t, err)
	return ref
}

// push pushes to the registry.
func (c *chain) push(t *testing.T, to, password string, image v1.Image) {
	t.Helper()
	must(t, remote.Write(c.at(t, c.registry, to), image, c.as(password)...))
}

func (c *chain) as(password string) []remote.Option {
	return []remote.Option{remote.WithAuth(&authn.Basic{Username: "alice", Password: password}), remote.WithTransport(c.client.Transport)}
}

// anyone asks the mirror.
func (c *chain) anyone() []remote.Option {
	return []remote.Option{remote.WithTransport(c.client.Transport)}
}

// status is what the mirror answers, and the body.
func (c *chain) status(t *testing.T, path string, headers ...string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+c.mirror.RegistryAddr().String()+"/v2/"+path, nil)
	must(t, err)
	for _, header := range headers {
		key, value, _ := strings.Cut(header, ": ")
		r.Header.Set(key, value)
	}
	resp, err := c.client.Do(r)
	must(t, err)
	body, err := io.ReadAll(resp.Body)
	must(t, err)
	must(t, resp.Body.Close())
	return resp.StatusCode, string(body)
}

func (c *chain) wantStatus(t *testing.T, want int, path string) {
	t.Helper()
	if got, body := c.status(t, path); got != want {
		t.Errorf("%s: got %d %s, want %d", path, got, body, want)
	}
}

func digestOf(t *testing.T, image v1.Image) v1.Hash {
	t.Helper()
	d, err := image.Digest()
	must(t, err)
	return d
}

func TestAMirrorServesWhatIsPushedToARegistry(t *testing.T) {
	c, image := newChain(t), randomImage(t)
	c.push(t, "team/app:v1", "secret", image)
	for _, reference := range []string{"team/app:v1", "team/app@" + digestOf(t, image).String()} {
		got, err := remote.Image(c.at(t, c.mirror, reference), c.anyone()...)
		must(t, err)
		must(t, validate.Image(got))
		wantSame(t, image, got)
	}
	head, err := remote.Head(c.at(t, c.mirror, "team/app:v1"), c.anyone()...)
	if err != nil || head.Digest != digestOf(t, image) {
		t.Errorf("asked by HEAD: got %v, %v", head, err)
	}
	c.push(t, "team/app:v2", "secret", image)
	tags, err := remote.List(c.at(t, c.mirror, "team/app").Context(), c.anyone()...)
	must(t, err)
	if diff := cmp.Diff([]string{"v1", "v2"}, tags); diff != "" {
		t.Errorf("tags (-want +got):\n%s", diff)
	}
	c.wantStatus(t, http.StatusNotFound, "team/app/manifests/v3")
	c.wantStatus(t, http.StatusNotFound, "team/none/tags/list")
}

func TestAMirrorServesARangeOfWhatIsPushedToARegistry(t *testing.T) {
	c, image := newChain(t), randomImage(t)
	c.push(t, "team/app:v1", "secret", image)
	layers, err := image.Layers()
	must(t, err)
	d, err := layers[0].Digest()
	must(t, err)
	stream, err := layers[0].Compressed()
	must(t, err)
	content, err := io.ReadAll(stream)
	must(t, err)
	if status, body := c.status(t, "team/app/blobs/"+d.String(), "Range: bytes=100-299"); status != http.StatusPartialContent || body != string(content[100:300]) {
		t.Errorf("got %d with %d bytes, want 206 with those 200", status, len(body))
	}
}

func TestAMirrorListsWhatRefersToAnImageOfARegistry(t *testing.T) {
	c, subject := newChain(t), randomImage(t)
	c.push(t, "team/app:v1", "secret", subject)
	refers, ok := mutate.Subject(mutate.ConfigMediaType(mutate.MediaType(randomImage(t), types.OCIManifestSchema1), "application/vnd.example.sbom"),
		v1.Descriptor{MediaType: types.DockerManifestSchema2, Digest: digestOf(t, subject)}).(v1.Image)
	if !ok {
		t.Fatal("what refers is no image")
	}
	c.push(t, "team/app@"+digestOf(t, refers).String(), "secret", refers)
	subjectRef, ok := c.at(t, c.mirror, "team/app@"+digestOf(t, subject).String()).(name.Digest)
	if !ok {
		t.Fatal("the subject has no digest")
	}
	index, err := remote.Referrers(subjectRef, c.anyone()...)
	must(t, err)
	list, err := index.IndexManifest()
	must(t, err)
	if len(list.Manifests) != 1 || list.Manifests[0].Digest != digestOf(t, refers) || list.Manifests[0].ArtifactType != "application/vnd.example.sbom" {
		t.Errorf("got %v, want the one that refers", list.Manifests)
	}
}

func TestAMirrorSeesWhatBecomesOfARegistrysTags(t *testing.T) {
	c, one, two := newChain(t), randomImage(t), randomImage(t)
	for _, image := range []v1.Image{one, two} {
		c.push(t, "team/app:v1", "secret", image)
		got, err := remote.Image(c.at(t, c.mirror, "team/app:v1"), c.anyone()...)
		must(t, err)
		wantSame(t, image, got)
	}
	must(t, remote.Delete(c.at(t, c.registry, "team/app:v1"), c.as("secret")...))
	c.wantStatus(t, http.StatusNotFound, "team/app/manifests/v1")
	c.wantStatus(t, http.StatusOK, "team/app/manifests/"+digestOf(t, two).String()) // what was pulled is kept
	c.push(t, "team/app:v1", "secret", one)
	eventually(t, "the tag is back", func() bool {
		status, _ := c.status(t, "team/app/manifests/v1")
		return status == http.StatusOK
	})
}

func TestAPasswordOfAMirrorIsReplacedWhileItRuns(t *testing.T) {
	c, image := newChain(t), randomImage(t)
	c.push(t, "team/app:v1", "secret", image)
	c.wantStatus(t, http.StatusOK, "team/app/manifests/v1")

	c.setPassword(t, "alice", "next")
	c.push(t, "team/next:v1", "next", image)
	status, body := c.status(t, "team/next/manifests/v1")
	if status != http.StatusForbidden || !strings.Contains(body, `"code":"DENIED"`) || strings.Contains(body, "secret") {
		t.Errorf("with a password that is no longer good: got %d %s, want 403 DENIED", status, body)
	}

	for _, reference := range []string{"v1", digestOf(t, image).String()} {
		c.wantStatus(t, http.StatusOK, "team/app/manifests/"+reference) // by a token that was had before
	}

	c.login(t, "alice", "next")
	c.wantStatus(t, http.StatusOK, "team/next/manifests/v1")
}
