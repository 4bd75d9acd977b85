package e2e

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/validate"
	"golang.org/x/crypto/bcrypt"

	"github.com/registryhub/registryhub/api/v1alpha1"
	"github.com/registryhub/registryhub/hack/testbed"
)

// localManifest is a registry that is pushed to; its host is in no DNS.
const localManifest = `apiVersion: registryhub.io/v1alpha1
kind: RegistryHub
metadata: {name: %[1]s}
spec:
  hosts: [%[2]s]
  mode: Local
  local: {immutableTags: ['.*:v[0-9]+']}
  access: {htpasswdSecretRef: {name: e2e-users}}
  storage:
    type: PersistentVolumeClaim
    persistentVolumeClaim: {size: 100Mi}
`

// TestAPodRunsWhatWasPushedAMomentBefore pushes to a registry of the cluster's own by its Service's address, and runs what was
// pushed by a name that resolves nowhere, on every node, also when the registry's Pod is another.
func TestAPodRunsWhatWasPushedAMomentBefore(t *testing.T) {
	s := shared
	const hub, host = "pushed", "pushed.internal"
	s.applyManifest(t, localManifest, hub, host)
	s.await(t, "the hub to ask for its users", s.reasonIs(hub, v1alpha1.ConditionProxyAvailable, v1alpha1.ReasonReferenceNotFound))
	s.applyUsers(t, "alice", "secret")
	s.awaitReady(t, hub)

	image := s.images.build(t)
	alice := &authn.Basic{Username: "alice", Password: "secret"}
	if err := s.pushTo(t, hub, "team/app:v1", image, authn.Anonymous); err == nil {
		t.Error("who does not say who they are can push")
	}
	if err := s.pushTo(t, hub, "team/app:v1", image, alice); err != nil {
		t.Fatal(err)
	}
	s.upstream.Forget()
	s.runPod(t, "pushed", s.bed.Nodes[0], host+"/team/app:v1")
	if err := s.pushTo(t, hub, "team/app:v1", s.images.build(t), alice); err == nil {
		t.Error("an immutable tag was moved")
	}
	pod := s.proxyPod(t, hub)
	s.kubectl(t, "-n", testbed.Namespace, "delete", "pod", pod.Name, "--now")
	s.awaitReady(t, hub)
	s.runPod(t, "pushed-before", s.bed.Nodes[1], host+"/team/app:v1")
	if asked := s.upstream.Requests(); len(asked) > 0 {
		t.Errorf("somebody else was asked: %+v", asked)
	}
}

// sharedPlaces are where several Pods of a registry keep what they have, as ends of a manifest.
var sharedPlaces = map[string]func(*testing.T, *suite) string{
	"volume": func(*testing.T, *suite) string {
		return "type: PersistentVolumeClaim\n    persistentVolumeClaim: {size: 100Mi, accessModes: [ReadWriteMany]}\n  proxy: {replicas: 2}\n"
	},
	"bucket": func(t *testing.T, s *suite) string {
		t.Helper()
		return fmt.Sprintf("type: S3\n    s3: {bucket: images, credentialsSecretRef: {name: e2e-bucket}, maxSize: 1Gi, endpoint: %q}\n  proxy: {replicas: 2}\n", s.startBucket(t).Endpoint())
	},
}

// TestAPushGoesOnWhileARegistrysPodsAreReplaced pushes to two Pods, one image after the other, until both are others: each request of a
// push is answered by either. No push fails, and all that was acknowledged is there.
func TestAPushGoesOnWhileARegistrysPodsAreReplaced(t *testing.T) {
	shared.applyUsers(t, "alice", "secret")
	for place, storage := range sharedPlaces {
		t.Run(place, func(t *testing.T) { shared.pushWhileReplaced(t, "on-a-"+place, storage(t, shared)) })
	}
}

func (s *suite) pushWhileReplaced(t *testing.T, hub, storage string) {
	t.Helper()
	manifest, _, _ := strings.Cut(localManifest, "type: PersistentVolumeClaim")
	s.applyManifest(t, manifest+storage, hub, hub+".internal")
	s.awaitReady(t, hub)
	s.mustSayOfItsPods(t, hub, "2/2 Pods")

	alice := &authn.Basic{Username: "alice", Password: "secret"}
	var pushed []v1.Image
	began := time.Now()
	s.roll(t, hub)
	for !s.rolled(t, hub, 2) {
		if time.Since(began) > patience {
			t.Fatalf("the Pods are not replaced after %d pushes\n%s", len(pushed), s.scene(t))
		}
		image := s.images.build(t)
		if err := s.pushTo(t, hub, fmt.Sprintf("team/app:v%d", len(pushed)), image, alice); err != nil {
			t.Fatalf("push %d: %v\n%s", len(pushed), err, s.scene(t))
		}
		pushed = append(pushed, image)
	}
	t.Logf("in the %s that it took: %d pushes", time.Since(began).Round(time.Second), len(pushed))
	for i, image := range pushed {
		s.mustHold(t, hub, fmt.Sprintf("team/app:v%d", i), image, alice)
	}
	s.runPod(t, hub, s.bed.Nodes[0], fmt.Sprintf("%s.internal/team/app:v%d", hub, len(pushed)-1))
}

// mustHold pulls an image from a registry, and compares it with what was pushed.
func (s *suite) mustHold(t *testing.T, hub, image string, want v1.Image, who authn.Authenticator) {
	t.Helper()
	ref, options := s.inRegistry(t, hub, image, who)
	got, err := remote.Image(ref, options...)
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Image(got); err != nil {
		t.Errorf("%s: %v", image, err)
	}
	if is, was := digestOf(t, got), digestOf(t, want); is != was {
		t.Errorf("%s is %s, pushed was %s", image, is, was)
	}
}

// applyUsers makes the Secret with the one user of registries, and removes it when the test ends.
func (s *suite) applyUsers(t *testing.T, user, password string) {
	t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	secret := fmt.Sprintf("apiVersion: v1\nkind: Secret\nmetadata: {name: e2e-users, namespace: %s}\nstringData: {htpasswd: '%s:%s'}\n", testbed.Namespace, user, hash)
	if err := s.bed.Apply(t.Context(), secret); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := s.bed.Kubectl(context.WithoutCancel(t.Context()), "-n", testbed.Namespace, "delete", "secret", "e2e-users", "--ignore-not-found"); err != nil {
			t.Error(err)
		}
	})
}

// pushTo pushes as something in the cluster does: to the hub's Service, whose certificate the published bundle has signed.
func (s *suite) pushTo(t *testing.T, hub, image string, what v1.Image, who authn.Authenticator) error {
	t.Helper()
	ref, options := s.inRegistry(t, hub, image, who)
	return remote.Write(ref, what, options...)
}

// inRegistry is where an image is at a hub's Service, and how to talk to that.
func (s *suite) inRegistry(t *testing.T, hub, image string, who authn.Authenticator) (name.Reference, []remote.Option) {
	t.Helper()
	address := net.JoinHostPort(s.clusterIP(t, hub), "5000")
	return s.inRegistryAt(t, address, address, image, who)
}

// inRegistryAt is inRegistry by another name, host:port, of what is at an address.
func (s *suite) inRegistryAt(t *testing.T, registry, address, image string, who authn.Authenticator) (name.Reference, []remote.Option) {
	t.Helper()
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(s.bundle(t)))
	transport := &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		DialContext: func(ctx context.Context, network, asked string) (net.Conn, error) {
			if asked != registry {
				return nil, fmt.Errorf("asked for %s, and not for %s", asked, registry)
			}
			return new(net.Dialer).DialContext(ctx, network, address)
		},
	}
	t.Cleanup(transport.CloseIdleConnections)
	ref, err := name.ParseReference(registry + "/" + image)
	if err != nil {
		t.Fatal(err)
	}
	return ref, []remote.Option{remote.WithTransport(transport), remote.WithAuth(who)}
}
