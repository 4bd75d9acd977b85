package envtest

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/api/v1alpha1"
)

// What docs/guides/registry.md shows is applied as it is there.
func TestTheServiceAccountOfTheGuidePushes(t *testing.T) {
	w := begin(t)
	w.team()
	for _, object := range guidesRights(t) {
		w.make(object)
	}
	r := w.servedAs(configv1alpha1.RegistryName, "None")
	builder := with(w.tokenFor("team", "builder", registryAudience))
	w.Eventually(func() int { return r.push("team/app:v1", anImage(t), builder) }).Should(BeZero())
	w.Expect(r.pull("team/app:v1", builder)).To(BeZero())
	w.Expect(r.push("team/deeper/app:v1", anImage(t), builder)).To(BeZero())
	w.Expect(r.remove("team/app:v1", builder)).To(Equal(http.StatusForbidden))
	w.Expect(r.push("other/app:v1", anImage(t), builder)).To(Equal(http.StatusForbidden))
	w.Expect(r.push("other/app:v1", anImage(t), alice)).To(BeZero(), "users are let in beside it")
	w.Expect(r.pull("other/app:v1", builder)).To(Equal(http.StatusForbidden))
	w.Expect(r.pull("team/app:v1", authn.Anonymous)).To(Equal(http.StatusUnauthorized))
	_, said := r.ask(http.MethodGet, "/v2/other/app/tags/list", w.tokenFor("team", "builder", registryAudience), "")
	w.Expect(said).To(ContainSubstring("system:serviceaccount:team:builder may not pull here: it takes a role with the verb pull on registryhubs/repositories of registryhub.io named internal:other/app, internal:other/* or internal:*"))
}

// guidesRights are the objects of the first example in the guide that has a ServiceAccount.
func guidesRights(t *testing.T) []*unstructured.Unstructured {
	t.Helper()
	guide, err := os.ReadFile(filepath.Join("..", "..", "docs", "guides", "registry.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(guide), "```yaml\napiVersion: v1\nkind: ServiceAccount\n")
	if !found {
		t.Fatal("docs/guides/registry.md shows no ServiceAccount")
	}
	example, _, _ := strings.Cut(rest, "```")
	var objects []*unstructured.Unstructured
	for _, document := range strings.Split("apiVersion: v1\nkind: ServiceAccount\n"+example, "---\n") {
		object := &unstructured.Unstructured{}
		if err := yaml.Unmarshal([]byte(document), &object.Object); err != nil {
			t.Fatal(err)
		}
		objects = append(objects, object)
	}
	return objects
}

func TestATokenThatIsNotForTheRegistryIsNobodys(t *testing.T) {
	w := begin(t)
	w.team()
	token := w.account("stranger")
	w.permit("stranger", []string{"pull", "push"}, "internal:*")
	r := w.servedAs(configv1alpha1.RegistryName, "None")
	w.Eventually(func() int { return r.push("a:v1", anImage(t), with(token)) }).Should(BeZero())
	for name, shown := range map[string]string{
		"for the API server":                  w.tokenFor("team", "stranger"),
		"for another registry":                w.tokenFor("team", "stranger", "registryhub.io/another"),
		"that has expired":                    w.expiring(token, time.Now().Add(-time.Minute), true),
		"that says it lives longer":           w.expiring(token, time.Now().Add(24*time.Hour), false),
		"that anybody could have signed":      token[:strings.LastIndexByte(token, '.')+1] + "AAAA",
		"that is the password of the user":    "secret",
		"of which nothing but the form is so": "eyJhbGciOiJSUzI1NiJ9.eyJhdWQiOiJyZWdpc3RyeWh1Yi5pby9pbnRlcm5hbCIsImV4cCI6OTk5OTk5OTk5OTl9.AAAA",
	} {
		if got := r.push("a:v1", anImage(t), with(shown)); got != http.StatusUnauthorized {
			t.Errorf("with a token %s: got %d, want 401", name, got)
		}
	}
	w.Expect(r.push("a:v2", anImage(t), with(w.expiring(token, time.Now().Add(time.Hour), true)))).To(BeZero(), "the tokens of this test are signed right")
}

func TestWhoIsGoneIsOut(t *testing.T) {
	w := begin(t)
	w.team()
	token := w.account("leaving")
	w.permit("leaving", []string{"pull", "push"}, "internal:*")
	r := w.servedAs(configv1alpha1.RegistryName, "None")
	w.Eventually(func() int { return r.push("a:v1", anImage(t), with(token)) }).Should(BeZero())
	w.Expect(k8s.Delete(ctxOf(), &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "leaving"}})).To(Succeed())
	w.Eventually(func() int { return r.pull("a:v1", with(token)) }, "40s").Should(Equal(http.StatusUnauthorized))
}

func TestARightThatIsTakenAwayEndsWithinSeconds(t *testing.T) {
	w := begin(t)
	w.team()
	token := w.account("allowed")
	binding := w.permit("allowed", []string{"pull"}, "internal:a")
	r := w.servedAs(configv1alpha1.RegistryName, "None")
	w.Expect(r.push("a:v1", anImage(t), alice)).To(BeZero())
	w.Eventually(func() int { return r.pull("a:v1", with(token)) }).Should(BeZero())
	held := r.bearer(token, "repository:a:pull")
	w.Expect(k8s.Delete(ctxOf(), binding)).To(Succeed())
	w.Eventually(func() int {
		response, _ := r.ask(http.MethodGet, "/v2/a/tags/list", "", held)
		return response.StatusCode
	}, "20s").Should(Equal(http.StatusForbidden), "with the token that it has")
}

func TestWhoMountsMustBeAllowedToPull(t *testing.T) {
	w := begin(t)
	w.team()
	token := w.account("mounting")
	w.permit("mounting", []string{"pull", "push"}, "internal:team/*")
	r := w.servedAs(configv1alpha1.RegistryName, "None")
	image := anImage(t)
	w.Expect(r.push("other/base:v1", image, alice)).To(BeZero())
	w.Eventually(func() int { return r.push("team/app:v1", anImage(t), with(token)) }).Should(BeZero())
	layers, err := image.Layers()
	w.Expect(err).NotTo(HaveOccurred())
	digest, err := layers[0].Digest()
	w.Expect(err).NotTo(HaveOccurred())
	mount := func(from string) int {
		response, _ := r.ask(http.MethodPost, "/v2/team/app/blobs/uploads/?mount="+digest.String()+from, "", r.bearer(token, "repository:team/app:pull,push"))
		return response.StatusCode
	}
	for _, from := range []string{"&from=other/base", ""} {
		w.Expect(mount(from)).To(Equal(http.StatusAccepted), "it may be pushed, and is not mounted")
	}
	w.permit("mounting", []string{"pull"}, "internal:other/base")
	w.Eventually(func() int { return mount("&from=other/base") }).Should(Equal(http.StatusCreated))
}

func TestWithoutTheAPIServerWhomItKnowsIsRefusedAndNobodyElse(t *testing.T) {
	w := begin(t)
	w.team()
	token, unseen := w.account("known"), w.account("unseen")
	w.permit("known", []string{"pull", "push"}, "internal:*")
	r := w.servedAs(configv1alpha1.RegistryName, "Pull")
	w.Eventually(func() int { return r.push("a:v1", anImage(t), with(token)) }).Should(BeZero())
	r.line.cut(true)
	response, _ := r.ask(http.MethodGet, "/v2/", unseen, "")
	w.Expect(response.StatusCode).To(Equal(http.StatusServiceUnavailable))
	w.Expect(response.Header.Get("Retry-After")).NotTo(BeEmpty())
	w.Eventually(func() int { return r.push("a:v2", anImage(t), with(token)) }).Should(Equal(http.StatusServiceUnavailable), "also who was known a moment before")
	w.Expect(r.push("b:v1", anImage(t), alice)).To(BeZero())
	w.Expect(r.pull("a:v1", alice)).To(BeZero())
	w.Expect(r.pull("a:v1", authn.Anonymous)).To(BeZero())
	r.line.cut(false)
	w.Eventually(func() int { return r.push("a:v2", anImage(t), with(token)) }).Should(BeZero())
}

// A cluster that does not let the registry ask is no open door.
func TestARegistryThatMayNotAskLetsNobodyIn(t *testing.T) {
	w := begin(t)
	w.team()
	w.make(&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "powerless"}})
	token := w.account("unknown")
	w.permit("unknown", []string{"pull", "push"}, "internal:*")
	r := w.servedAs("powerless", "None")
	w.Expect(r.push("a:v1", anImage(t), with(token))).To(Equal(http.StatusServiceUnavailable))
	w.Expect(r.push("a:v1", anImage(t), alice)).To(BeZero())
}

// The name of a ServiceAccount that is taken out of a Deployment must not come back as serviceAccount.
func TestOnlyARegistryThatAsksHasAToken(t *testing.T) {
	w := begin(t)
	w.secret("identity-users", map[string][]byte{"htpasswd": []byte("alice:$2y$10$" + strings.Repeat("a", 53))})
	w.create(hubFor("asking", "asking.internal", pushedTo("identity-users"), func(hub *v1alpha1.RegistryHub) {
		hub.Spec.Access.Kubernetes = &v1alpha1.KubernetesAccess{}
	}))
	w.bindVolume("asking")
	tokens := func() []string {
		deployment := &appsv1.Deployment{}
		if err := w.child("asking", deployment); err != nil {
			return []string{err.Error()}
		}
		pod := deployment.Spec.Template.Spec
		found := []string{pod.ServiceAccountName, pod.DeprecatedServiceAccount}
		for _, volume := range pod.Volumes {
			if volume.Projected != nil {
				found = append(found, volume.Name)
			}
		}
		return found
	}
	w.Eventually(tokens).Should(Equal([]string{"registryhub-registry", "registryhub-registry", "service-account"}))
	w.change("asking", func(hub *v1alpha1.RegistryHub) { hub.Spec.Access.Kubernetes = nil })
	w.Eventually(tokens).Should(Equal([]string{"default", "default"}))
}
