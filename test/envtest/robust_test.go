package envtest

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/api/v1alpha1"
)

// lived are the states that a hub's life comes to: Ready, Ready again after a change, and gone.
type lived struct{ ready, changed, gone map[string]string }

// life has a hub live on two nodes. amid is called when something has just begun; reached waits until a state is what it
// should be, and returns it.
func (w *world) life(amid func(), reached func(name string) map[string]string) (states lived) {
	w.t.Helper()
	w.twoNodes()
	hub := w.create(hubFor("robust", "one.example"))
	amid()
	w.ready("robust")
	states.ready = reached("ready")

	w.change("robust", func(hub *v1alpha1.RegistryHub) {
		hub.Spec.Hosts = []v1alpha1.RegistryHost{"one.example", "two.example"}
	})
	amid()
	w.serve("robust")
	w.Eventually(w.hosts("robust")).Should(Equal("one.example two.example"))
	states.changed = reached("changed")

	w.Expect(k8s.Delete(w.t.Context(), hub)).To(Succeed())
	amid()
	w.Eventually(func() string { return w.message("robust", v1alpha1.ConditionReady) }).Should(HaveSuffix("still led to it: node n1, node n2"))
	states.gone = reached("gone")
	return states
}

func first(wanted fault) func(n int) fault {
	return func(n int) fault {
		if n == 1 {
			return wanted
		}
		return done
	}
}

func always(wanted fault) func(n int) fault {
	return func(int) fault { return wanted }
}

func everyOther(wanted fault) func(n int) fault {
	return func(n int) fault {
		if n%2 == 1 {
			return wanted
		}
		return done
	}
}

// trouble is what a manager meets in a test.
type trouble struct {
	// of is what becomes of its writes; nil for nothing special.
	of func(n int) fault
	// begin is called before a hub's life begins, and amid whenever something in it has just begun; nil for nothing.
	begin, amid func(w *world, manager *supervised)
	// writes is how many writes meet a fault at least, failures how many requests fail by themselves, and managers how many
	// end before the last.
	writes, failures, managers int
}

var troubles = map[string]trouble{
	"every manager dies of its first write, which was done":   {of: always(fatal), writes: 20, managers: 20},
	"every other write never arrives":                         {of: everyOther(unsent), writes: 10},
	"the answer to every other write is lost":                 {of: everyOther(unanswered), writes: 10},
	"every other write meets a conflict":                      {of: everyOther(conflicting), writes: 10},
	"the API server has trouble with the first of all writes": {of: first(failing), writes: 10},
	"the API server is killed and started again":              {amid: func(w *world, _ *supervised) { w.restartAPIServer() }, failures: 3},
	"the leader changes, and each one's clock is an hour from the right time, to the other side": {
		amid: func(_ *world, manager *supervised) { manager.replaceAskew() }, managers: 3,
	},
	"etcd is slow, and breaks connections": {
		begin: func(w *world, _ *supervised) {
			etcd.slow(25 * time.Millisecond)
			w.t.Cleanup(func() { etcd.slow(0) })
		},
		amid: func(w *world, manager *supervised) {
			// One whose Lease is not renewed in time has no answer at all, and ends.
			heard := func() int { return manager.failures() + manager.replacements() }
			before := heard()
			etcd.breaks(true)
			defer etcd.breaks(false)
			w.Eventually(heard).Should(BeNumerically(">", before), "the manager hears of it")
		},
	},
	"somebody deletes what the manager made": {amid: func(w *world, _ *supervised) { w.deleteMost("robust") }},
}

// deleteMost deletes what was made for a hub and the nodes, as soon as it is there. What it leaves is what cannot be made again as
// it was: the cache, and the key of the authority.
func (w *world) deleteMost(hub string) {
	w.t.Helper()
	for _, object := range []client.Object{
		&appsv1.Deployment{ObjectMeta: named("hub-" + hub)},
		&corev1.ConfigMap{ObjectMeta: named("hub-" + hub)},
		&corev1.Service{ObjectMeta: named("hub-" + hub)},
		&corev1.Secret{ObjectMeta: named("hub-" + hub + "-tls")},
		&appsv1.DaemonSet{ObjectMeta: named(configv1alpha1.NodeAgentName)},
		&corev1.ConfigMap{ObjectMeta: named(configv1alpha1.NodeConfigurationName)},
		&v1alpha1.NodeMirror{ObjectMeta: metav1.ObjectMeta{Name: "n1"}},
	} {
		w.Eventually(func() error {
			return k8s.Delete(ctxOf(), object, client.PropagationPolicy(metav1.DeletePropagationBackground))
		}).Should(Succeed(), "%T %s", object, object.GetName())
	}
}

func TestAHubsLifeComesToTheSameWhateverGoesWrong(t *testing.T) {
	var clean lived
	ran := t.Run("nothing goes wrong", func(t *testing.T) {
		w := begin(t)
		clean = w.life(func() {}, func(name string) map[string]string {
			w.actOut(name)
			w.settle()
			return w.state()
		})
	})
	if !ran {
		return
	}
	for name, trouble := range troubles {
		t.Run(name, func(t *testing.T) {
			w := begin(t)
			w.SetDefaultEventuallyTimeout(time.Minute)
			w.livesAsCleanly(clean, trouble)
		})
	}
}

// livesAsCleanly holds each state of a life in trouble to that of a clean one.
func (w *world) livesAsCleanly(clean lived, trouble trouble) {
	w.t.Helper()
	wanted := map[string]map[string]string{"ready": clean.ready, "changed": clean.changed, "gone": clean.gone}
	of := trouble.of
	if of == nil {
		of = always(done)
	}
	manager := w.manageWith(of)
	if trouble.begin != nil {
		trouble.begin(w, manager)
	}
	amid := func() {
		if trouble.amid != nil {
			trouble.amid(w, manager)
		}
	}
	w.life(amid, func(name string) map[string]string {
		w.Eventually(func() string {
			w.actOut(name)
			return cmp.Diff(wanted[name], w.state())
		}).Should(BeEmpty(), "the state %q is that of a clean run (-clean +now)", name)
		return nil
	})
	w.Expect(manager.meetings()).To(BeNumerically(">=", trouble.writes), "writes met the fault")
	w.Expect(manager.failures()).To(BeNumerically(">=", trouble.failures), "requests failed")
	w.Expect(manager.replacements()).To(BeNumerically(">=", trouble.managers), "managers ended")
	w.t.Logf("%d writes met the fault, %d requests failed by themselves, %d managers ended", manager.meetings(), manager.failures(), manager.replacements())
}

// actOut plays the others once more, who go on until a state is reached.
func (w *world) actOut(name string) {
	w.t.Helper()
	w.reportAll()
	if name == "gone" {
		w.Eventually(func() bool {
			w.reportAll()
			return w.gone("robust")()
		}).Should(BeTrue(), "the hub goes")
		w.releaseClaim("robust")
	}
}
