package envtest

import (
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	"sigs.k8s.io/controller-runtime/pkg/client"

	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/api/v1alpha1"
)

// inBucket keeps a hub's cache in a bucket.
func inBucket(hub *v1alpha1.RegistryHub) {
	hub.Spec.Storage = v1alpha1.StorageSpec{Type: v1alpha1.StorageS3, S3: &v1alpha1.S3Storage{
		Endpoint: "https://s3.example.com", Bucket: "images", MaxSize: resource.MustParse("100Gi"),
		CredentialsSecretRef: v1alpha1.SecretReference{Name: "bucket-keys"},
	}}
}

func TestAHubWithABucketAwaitsItsCredentialsAndTellsOfItsTrouble(t *testing.T) {
	w := begin(t)
	proxy := w.proxy("bucket")
	w.create(hubFor("bucket", "bucket.example", inBucket))
	w.becomes("bucket", v1alpha1.ConditionReady, "False/ReferenceNotFound")
	w.Expect(w.message("bucket", v1alpha1.ConditionReady)).To(ContainSubstring("credentialsSecretRef of the bucket: Secret bucket-keys in namespace registryhub-system does not exist"))
	w.Expect(apierrors.IsNotFound(w.child("bucket", &appsv1.Deployment{}))).To(BeTrue(), "no Pod that could not start")
	secret := w.secret("bucket-keys", map[string][]byte{"AWS_ACCESS_KEY_ID": []byte("id")})
	w.Eventually(func() string { return w.message("bucket", v1alpha1.ConditionReady) }).Should(ContainSubstring("has no key AWS_SECRET_ACCESS_KEY"))
	w.byHand(secret, func() { secret.Data["AWS_SECRET_ACCESS_KEY"] = []byte("secret") })
	w.ready("bucket")
	w.becomes("bucket", v1alpha1.ConditionStorageReady, "True/BucketReachable")

	template := w.template("bucket")()
	w.change("bucket", func(hub *v1alpha1.RegistryHub) { hub.Spec.Storage.S3.MaxSize = resource.MustParse("200Gi") })
	w.ready("bucket")
	w.Expect(w.template("bucket")()).To(Equal(template), "a proxy that runs takes another size")

	proxy.finds(configv1alpha1.StoreReport{Failing: true})
	w.change("bucket", believeTagsFor(time.Hour)) // so that it is asked at once
	w.becomes("bucket", v1alpha1.ConditionStorageReady, "False/BucketNotReachable")
	w.becomes("bucket", v1alpha1.ConditionReady, "True/Ready")
	w.Eventually(w.told("bucket")).Should(ContainElement("Warning/BucketNotReachable"))
	proxy.finds(configv1alpha1.StoreReport{Full: true})
	w.change("bucket", believeTagsFor(2*time.Hour))
	w.becomes("bucket", v1alpha1.ConditionStorageReady, "False/BucketFull")
	proxy.finds(configv1alpha1.StoreReport{})
	w.change("bucket", believeTagsFor(3*time.Hour))
	w.becomes("bucket", v1alpha1.ConditionStorageReady, "True/BucketReachable")
}

// bucketHub is a hub that every case of the tables changes in one place.
const bucketHub = `
apiVersion: registryhub.io/v1alpha1
kind: RegistryHub
metadata: {name: in-a-bucket}
spec:
  hosts: [docker.io]
  mode: Mirror
  mirror: {}
  storage:
    type: S3
    s3:
      endpoint: https://s3.example.com
      bucket: images
      credentialsSecretRef: {name: bucket-keys}
      maxSize: 100Gi
`

func TestWhatIsRefusedOfABucket(t *testing.T) {
	for name, tc := range map[string]struct{ old, replacement, want string }{
		"no bucket":                {"type: S3", "type: Ephemeral", "spec.storage.s3 must be set when spec.storage.type is S3"},
		"an endpoint with a path":  {"https://s3.example.com", "https://s3.example.com/images", "without a path"},
		"an endpoint with a user":  {"https://s3.example.com", "https://me@s3.example.com", "without a path"},
		"an endpoint of no scheme": {"https://s3.example.com", "s3.example.com", "must be an http or https URL"},
		"no name of a bucket":      {"bucket: images", "bucket: Images", "spec.storage.s3.bucket"},
		"a prefix that climbs":     {"bucket: images", "bucket: images\n      prefix: ../x", "two dots"},
		"too small":                {"100Gi", "1Ki", "maxSize must be at least 1Mi"},
		"scratch that is too small": {
			"bucket: images", "bucket: images\n      scratch: {sizeLimit: 1Mi}", "sizeLimit must be at least 16Mi",
		},
	} {
		t.Run(name, func(t *testing.T) {
			object := parse(t, strings.Replace(bucketHub, tc.old, tc.replacement, 1))
			NewWithT(t).Expect(k8s.Create(t.Context(), object, client.DryRunAll)).To(MatchError(ContainSubstring(tc.want)))
		})
	}
	several := strings.Replace(bucketHub, "mode: Mirror", "mode: Mirror\n  proxy: {replicas: 2}", 1)
	NewWithT(t).Expect(k8s.Create(t.Context(), parse(t, several), client.DryRunAll)).To(Succeed())
}

func TestWhatCannotBeChangedOfABucket(t *testing.T) {
	w := begin(t)
	w.Expect(k8s.Create(t.Context(), parse(t, bucketHub))).To(Succeed())
	t.Cleanup(func() { w.removeByForce("in-a-bucket") })
	for name, tc := range map[string]struct{ old, replacement, want string }{
		"the bucket": {"bucket: images", "bucket: others", "spec.storage.s3.bucket cannot be changed"},
		"the prefix": {"bucket: images", "bucket: images\n      prefix: x", "spec.storage.s3.prefix cannot be changed"},
	} {
		t.Run(name, func(t *testing.T) {
			w := begin(t)
			w.Eventually(func() error {
				object := parse(t, strings.Replace(bucketHub, tc.old, tc.replacement, 1))
				object.SetResourceVersion(w.get("in-a-bucket").ResourceVersion)
				return k8s.Update(ctxOf(), object, client.DryRunAll)
			}).Should(MatchError(ContainSubstring(tc.want)))
		})
	}
	w.change("in-a-bucket", func(hub *v1alpha1.RegistryHub) { hub.Spec.Storage.S3.MaxSize = resource.MustParse("1Gi") })
}
