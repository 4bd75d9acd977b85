package e2e

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/registryhub/registryhub/hack/s3server"
	"github.com/registryhub/registryhub/hack/testbed"
)

// bucketManifest is a hub of two replicas with their cache in a bucket.
const bucketManifest = `apiVersion: registryhub.io/v1alpha1
kind: RegistryHub
metadata: {name: %s}
spec:
  hosts: [%s]
  mode: Mirror
  mirror:
    upstreams:
    - name: upstream
      url: https://%s
      caBundleRef: {name: %s}
    tags: {revalidateAfter: 1s}
  proxy: {replicas: 2}
  storage:
    type: S3
    s3:
      bucket: images
      credentialsSecretRef: {name: e2e-bucket}
      maxSize: 1Gi
      scratch: {sizeLimit: 256Mi}
      endpoint: `

// TestReplicasOfAHubShareABucket: what one fetched any of them serves, also those that came later, and none of it is lost with
// a Pod.
func TestReplicasOfAHubShareABucket(t *testing.T) {
	s := shared
	const host, hub = "bucket.e2e.test", "bucket"
	server := s.startBucket(t)
	image := s.images.push(t, "team/bucket", "v1")
	s.applyManifest(t, bucketManifest, hub, host, server.Endpoint())
	s.awaitReady(t, hub)
	s.mustSayOfItsPods(t, hub, "2/2 Pods")
	s.upstream.Forget()
	s.runPod(t, "bucket-first", s.bed.Nodes[0], host+"/team/bucket:v1")
	s.mustHaveAskedTheHubAlone(t)
	for _, layer := range ownLayers(t, image) {
		s.await(t, "a layer to be in the bucket", func(context.Context) (bool, error) {
			_, err := os.Stat(server.File("images", filepath.Join(hub, "blobs", "sha256", layer[:2], layer)))
			return err == nil, nil
		})
	}

	s.kubectl(t, "-n", testbed.Namespace, "rollout", "restart", "deployment/hub-"+hub)
	s.kubectl(t, "-n", testbed.Namespace, "rollout", "status", "deployment/hub-"+hub, "--timeout=3m")
	s.awaitReady(t, hub)
	s.upstream.Forget()
	s.runPod(t, "bucket-second", s.bed.Nodes[1], host+"/team/bucket:v1")
	if again := blobRequests(s.upstream.Requests()); len(again) > 0 {
		t.Errorf("blobs were fetched again: %v", again)
	}
	s.mustHaveAskedTheHubAlone(t)
}

// startBucket starts an S3 server where Pods reach it, with a bucket and a Secret for it.
func (s *suite) startBucket(t *testing.T) *s3server.Server {
	t.Helper()
	server, err := s3server.Start(t.Context(), s3server.Options{Directory: t.TempDir(), Address: net.JoinHostPort(s.bed.Address, "9000")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	if err := server.MakeBucket("images"); err != nil {
		t.Fatal(err)
	}
	secret := fmt.Sprintf("apiVersion: v1\nkind: Secret\nmetadata: {name: e2e-bucket, namespace: %s}\nstringData: {AWS_ACCESS_KEY_ID: %s, AWS_SECRET_ACCESS_KEY: %s}\n",
		testbed.Namespace, s3server.AccessKeyID, s3server.SecretAccessKey)
	if err := s.bed.Apply(t.Context(), secret); err != nil {
		t.Fatal(err)
	}
	return server
}
