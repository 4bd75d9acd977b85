package envtest

import (
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/api/v1alpha1"
)

// pushedTo makes a hub a registry whose users are in a Secret.
func pushedTo(users string) func(*v1alpha1.RegistryHub) {
	return func(hub *v1alpha1.RegistryHub) {
		hub.Spec.Mode, hub.Spec.Mirror, hub.Spec.Local = v1alpha1.HubModeLocal, nil, &v1alpha1.LocalSpec{ImmutableTags: []string{".*:v[0-9]+"}}
		hub.Spec.Access.HtpasswdSecretRef = &v1alpha1.SecretReference{Name: users}
	}
}

func TestARegistryIsServedOnceItsUsersAreKnown(t *testing.T) {
	w := begin(t)
	w.create(hubFor("registry", "registry.internal", pushedTo("registry-users")))
	w.bindVolume("registry")
	w.becomes("registry", v1alpha1.ConditionProxyAvailable, "False/ReferenceNotFound")
	w.Expect(w.message("registry", v1alpha1.ConditionProxyAvailable)).To(ContainSubstring("Secret registry-users in namespace " + namespace + " does not exist"))
	users := w.secret("registry-users", map[string][]byte{"htpasswd": []byte("alice:cleartext")})
	w.Eventually(func() string { return w.message("registry", v1alpha1.ConditionProxyAvailable) }, "30s").Should(ContainSubstring(`line 1: the hash of "alice" is not one of bcrypt`))
	w.Expect(w.message("registry", v1alpha1.ConditionProxyAvailable)).NotTo(ContainSubstring("cleartext"))
	w.Expect(apierrors.IsNotFound(w.child("registry", &appsv1.Deployment{}))).To(BeTrue())

	users.Data["htpasswd"] = []byte("alice:$2y$10$" + strings.Repeat("a", 53))
	w.Expect(k8s.Update(ctxOf(), users)).To(Succeed())
	w.Eventually(func() error { return w.child("registry", &appsv1.Deployment{}) }, "30s").Should(Succeed())
	keys := &corev1.Secret{}
	w.Expect(k8s.Get(ctxOf(), client.ObjectKey{Namespace: namespace, Name: "hub-registry-keys"}, keys)).To(Succeed())
	w.Expect(keys.Data[configv1alpha1.LocalKeyCurrent]).To(HaveLen(32))
	w.Expect(keys.OwnerReferences).To(HaveLen(1), "it goes with the Service")

	w.ready("registry")
	entry := w.entry("registry")
	w.Expect(entry.Fallback).To(Equal(configv1alpha1.NodeFallbackNone), "there is nowhere else to pull from")
	w.Expect(entry.ClientCertificate).To(BeTrue())
	hub := w.get("registry")
	w.Expect(hub.Status.Upstreams).To(BeEmpty())
	w.Expect(hub.Status.Access.Pull).To(Equal(v1alpha1.PullNodes))
	w.Expect(w.condition("registry", v1alpha1.ConditionUpstreamReachable)()).To(BeEmpty())

	w.Expect(k8s.Delete(ctxOf(), keys)).To(Succeed())
	w.change("registry", func(hub *v1alpha1.RegistryHub) { hub.Spec.Local.Sparse = true })
	w.Eventually(func() error { return k8s.Get(ctxOf(), client.ObjectKeyFromObject(keys), &corev1.Secret{}) }).Should(Succeed())

	w.Expect(w.get("registry").Status.Storage.Retention).To(Equal(v1alpha1.VolumeRetain))
	w.deleteHub(w.get("registry"))
	w.Expect(w.claim("registry").DeletionTimestamp).To(BeNil(), "what was pushed is nowhere else")
}

func TestARegistryInABucketIsServedBySeveralPods(t *testing.T) {
	w := begin(t)
	w.secret("pushed-keys", map[string][]byte{"AWS_ACCESS_KEY_ID": []byte("id"), "AWS_SECRET_ACCESS_KEY": []byte("secret")})
	w.secret("pushed-users", map[string][]byte{"htpasswd": []byte("alice:$2y$10$" + strings.Repeat("a", 53))})
	w.create(hubFor("pushed", "registry.bucket", pushedTo("pushed-users"), inBucket, podsOf(2), func(hub *v1alpha1.RegistryHub) {
		hub.Spec.Storage.S3.CredentialsSecretRef.Name = "pushed-keys"
		hub.Spec.Local.UploadsExpireAfter = &metav1.Duration{Duration: 2 * time.Hour}
	}))
	w.ready("pushed")
	w.becomes("pushed", v1alpha1.ConditionStorageReady, "True/BucketReachable")
	deployment := w.deployment("pushed")
	w.Expect(deployment.Spec.Replicas).To(HaveValue(BeEquivalentTo(2)))
	w.Expect(deployment.Spec.Strategy.Type).To(Equal(appsv1.RollingUpdateDeploymentStrategyType))
	configuration := &corev1.ConfigMap{}
	w.Expect(w.child("pushed", configuration)).To(Succeed())
	w.Expect(configuration.Data).To(HaveEach(And(
		ContainSubstring("bucket: images"), ContainSubstring("keysDirectory: /etc/registryhub/keys"), ContainSubstring("uploadsExpireAfter: 2h0m0s"))))
	w.Expect(apierrors.IsNotFound(w.child("pushed", &corev1.PersistentVolumeClaim{}))).To(BeTrue())
}

// What a registry lacks without its bucket is all that it has; without the API server, only who shows a token of the cluster.
func TestARegistryTellsWhatItCannotDo(t *testing.T) {
	w := begin(t)
	w.secret("lacking-keys", map[string][]byte{"AWS_ACCESS_KEY_ID": []byte("id"), "AWS_SECRET_ACCESS_KEY": []byte("secret")})
	w.secret("lacking-users", map[string][]byte{"htpasswd": []byte("alice:$2y$10$" + strings.Repeat("a", 53))})
	proxy := w.proxy("lacking", func(p *proxy) { p.identifies("") })
	w.create(hubFor("lacking", "registry.lacking", pushedTo("lacking-users"), inBucket, func(hub *v1alpha1.RegistryHub) {
		hub.Spec.Storage.S3.CredentialsSecretRef.Name = "lacking-keys"
		hub.Spec.Access.Kubernetes = &v1alpha1.KubernetesAccess{}
	}))
	askAtOnce := func(expire time.Duration) { // a changed hub's Pods are asked until they have the change in force
		w.change("lacking", func(hub *v1alpha1.RegistryHub) {
			hub.Spec.Local.UploadsExpireAfter = &metav1.Duration{Duration: expire}
		})
	}
	w.ready("lacking")
	w.becomes("lacking", v1alpha1.ConditionIdentitiesKnown, "True/ClusterAnswering")

	proxy.identifies("creating a TokenReview: it may not")
	askAtOnce(2 * time.Hour)
	w.becomes("lacking", v1alpha1.ConditionIdentitiesKnown, "False/ClusterNotAnswering")
	w.Expect(w.message("lacking", v1alpha1.ConditionIdentitiesKnown)).To(HaveSuffix("creating a TokenReview: it may not"))
	w.becomes("lacking", v1alpha1.ConditionReady, "True/Ready")
	w.Eventually(w.told("lacking")).Should(ContainElement("Warning/ClusterNotAnswering"))

	proxy.finds(configv1alpha1.StoreReport{Failing: true})
	askAtOnce(3 * time.Hour)
	w.becomes("lacking", v1alpha1.ConditionReady, "False/BucketNotReachable")
	w.Expect(w.message("lacking", v1alpha1.ConditionReady)).To(ContainSubstring("pushes are refused"))

	proxy.finds(configv1alpha1.StoreReport{})
	proxy.identifies("")
	askAtOnce(4 * time.Hour)
	w.becomes("lacking", v1alpha1.ConditionIdentitiesKnown, "True/ClusterAnswering")
	w.becomes("lacking", v1alpha1.ConditionReady, "True/Ready")
}

// registryHub is a hub that every case of the table changes in one place.
const registryHub = `
apiVersion: registryhub.io/v1alpha1
kind: RegistryHub
metadata: {name: registry-of-tables}
spec:
  hosts: [registry.tables]
  mode: Local
  local: {}
  access: {htpasswdSecretRef: {name: users}}
  storage: {type: PersistentVolumeClaim, persistentVolumeClaim: {size: 1Gi}}
`

func TestWhatIsRefusedOfARegistry(t *testing.T) {
	for name, tc := range map[string]struct{ old, replacement, want string }{
		"what goes with the Pod":       {"type: PersistentVolumeClaim, persistentVolumeClaim: {size: 1Gi}", "type: Ephemeral", "must be PersistentVolumeClaim or S3"},
		"uploads that expire at once":  {"local: {}", "local: {uploadsExpireAfter: 1m}", "uploadsExpireAfter must be from 1h"},
		"uploads that stay for a year": {"local: {}", "local: {uploadsExpireAfter: 8760h}", "uploadsExpireAfter must be from 1h"},
	} {
		t.Run(name, func(t *testing.T) {
			object := parse(t, strings.Replace(registryHub, tc.old, tc.replacement, 1))
			NewWithT(t).Expect(k8s.Create(t.Context(), object, client.DryRunAll)).To(MatchError(ContainSubstring(tc.want)))
		})
	}
	NewWithT(t).Expect(k8s.Create(t.Context(), parse(t, registryHub), client.DryRunAll)).To(Succeed())
}
