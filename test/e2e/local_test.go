package e2e

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
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
	const hub, host = "internal", "registry.internal"
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
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(s.bundle(t)))
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}
	defer transport.CloseIdleConnections()
	ref, err := name.ParseReference(net.JoinHostPort(s.clusterIP(t, hub), "5000") + "/" + image)
	if err != nil {
		t.Fatal(err)
	}
	return remote.Write(ref, what, remote.WithTransport(transport), remote.WithAuth(who))
}
