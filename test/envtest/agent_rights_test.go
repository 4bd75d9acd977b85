package envtest

import (
	"testing"

	. "github.com/onsi/gomega"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/api/v1alpha1"
)

func TestAnAgentReportsForItsOwnNodeAlone(t *testing.T) {
	w := begin(t)
	w.Expect(applyManifests(t.Context(),
		"node-agent/service-account.yaml", "node-agent/cluster-role.yaml", "node-agent/role.yaml", "node-agent/admission-policy.yaml",
	)).To(Succeed())
	for _, name := range []string{"own", "another"} {
		w.node(name)
		w.agent(name)
		w.Eventually(func() error {
			return k8s.Get(ctxOf(), client.ObjectKey{Name: name}, &v1alpha1.NodeMirror{})
		}).Should(Succeed(), "the manager makes the NodeMirror of "+name)
	}
	bound, unbound := w.asAgent(w.token("agent-own")), w.asAgent(w.token(""))

	w.Eventually(func() error { return report(bound, "another") }).Should(Satisfy(apierrors.IsForbidden), "the policy is in force")
	w.Expect(report(bound, "another")).To(MatchError(ContainSubstring("NodeMirror another is not that of the node that this token is bound to (own)")))
	w.Expect(report(bound, "own")).To(Succeed())
	w.Expect(report(unbound, "own")).To(MatchError(ContainSubstring("it names none")))
	w.Expect(bound.Delete(ctxOf(), mirrorNamed("own"))).To(Satisfy(apierrors.IsForbidden))
}

// token asks for a token of the agents' ServiceAccount, bound to a Pod or to nothing.
func (w *world) token(pod string) string {
	w.t.Helper()
	request := &authenticationv1.TokenRequest{}
	if pod != "" {
		request.Spec.BoundObjectRef = &authenticationv1.BoundObjectReference{Kind: "Pod", APIVersion: "v1", Name: pod}
	}
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: configv1alpha1.NodeAgentName}}
	w.Expect(k8s.SubResource("token").Create(ctxOf(), account, request)).To(Succeed())
	return request.Status.Token
}

func (w *world) asAgent(token string) client.Client {
	w.t.Helper()
	config := rest.AnonymousClientConfig(cluster)
	config.BearerToken = token
	agent, err := client.New(config, client.Options{Scheme: k8s.Scheme(), Mapper: k8s.RESTMapper()})
	w.Expect(err).NotTo(HaveOccurred())
	return agent
}

func mirrorNamed(name string) *v1alpha1.NodeMirror {
	return &v1alpha1.NodeMirror{ObjectMeta: metav1.ObjectMeta{Name: name}}
}

// report patches a status as an agent does.
func report(as client.Client, node string) error {
	patch := client.RawPatch("application/merge-patch+json", []byte(`{"status":{"revision":1}}`))
	return as.Status().Patch(ctxOf(), mirrorNamed(node), patch)
}
