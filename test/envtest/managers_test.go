package envtest

import (
	"testing"
	"time"

	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/api/v1alpha1"
)

// Two managers run: one works, the other writes nothing until the first is gone, whichever way it goes.
func TestAnotherManagerTakesOver(t *testing.T) {
	tests := map[string]struct {
		end func(*process) error
		// orderly is true where the first gives its Lease back.
		orderly bool
	}{
		"from one that ends":                           {end: (*process).stop, orderly: true},
		"from one that is cut off from the API server": {end: (*process).beCutOff},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			w := begin(t)
			w.create(hubFor("led", "led.example", ephemeral))
			w.ready("led")
			first := operator
			second, err := startOperator(first.log)
			w.Expect(err).NotTo(HaveOccurred())
			operator = second

			w.mustTakeUp("led", "from-the-first")
			w.Expect(second.wrote.Load()).To(BeZero(), "the second waits")
			led := w.leader()
			err = tc.end(first)
			if tc.orderly {
				w.Expect(err).NotTo(HaveOccurred())
			} else {
				w.Expect(err).To(MatchError(ContainSubstring("leader election lost")))
				w.Expect(w.leader()).To(Equal(led), "the first has ended before the second begins")
			}
			wrote := first.wrote.Load()
			w.mustTakeUp("led", "from-the-second")
			w.Expect(w.leader()).NotTo(Equal(led))
			w.Expect(second.wrote.Load()).To(BeNumerically(">", 0))
			w.Expect(first.wrote.Load()).To(Equal(wrote))
		})
	}
}

// beCutOff loses the API server, and returns with what the manager says when it has given up.
func (p *process) beCutOff() error {
	p.severed.Store(true)
	return <-p.done
}

// mustTakeUp changes a hub, and waits for its Deployment to follow. A lost leader's Lease lasts fifteen seconds.
func (w *world) mustTakeUp(hub, class string) {
	w.t.Helper()
	w.change(hub, func(hub *v1alpha1.RegistryHub) { hub.Spec.Proxy.PriorityClassName = class })
	w.Eventually(func() string {
		deployment := &appsv1.Deployment{}
		w.Expect(w.child(hub, deployment)).To(Succeed())
		return deployment.Spec.Template.Spec.PriorityClassName
	}).WithTimeout(time.Minute).Should(Equal(class))
}

// leader is the holder of the managers' Lease.
func (w *world) leader() string {
	lease := &coordinationv1.Lease{}
	w.Expect(k8s.Get(ctxOf(), client.ObjectKey{Namespace: namespace, Name: configv1alpha1.ManagerName}, lease)).To(Succeed())
	if lease.Spec.HolderIdentity == nil {
		return ""
	}
	return *lease.Spec.HolderIdentity
}
