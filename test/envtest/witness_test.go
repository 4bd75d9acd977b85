package envtest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/registryhub/registryhub/api/v1alpha1"
)

// witness sees every status of every hub that the suite brings about, and holds it to the invariants.
type witness struct {
	watching watch.Interface
	done     chan struct{}

	mu         sync.Mutex
	last       map[string]*v1alpha1.RegistryHub
	statuses   int
	violations []string
}

func watchHubs() (*witness, error) {
	watcher, err := client.NewWithWatch(cluster, client.Options{Scheme: k8s.Scheme()})
	if err != nil {
		return nil, err
	}
	watching, err := watcher.Watch(context.Background(), &v1alpha1.RegistryHubList{})
	if err != nil {
		return nil, err
	}
	w := &witness{watching: watching, done: make(chan struct{}), last: map[string]*v1alpha1.RegistryHub{}}
	go w.run()
	return w, nil
}

func (w *witness) stop() {
	w.watching.Stop()
	<-w.done
}

func (w *witness) run() {
	defer close(w.done)
	for event := range w.watching.ResultChan() {
		if hub, isHub := event.Object.(*v1alpha1.RegistryHub); isHub && event.Type != watch.Deleted {
			w.see(hub)
		}
	}
}

func (w *witness) see(hub *v1alpha1.RegistryHub) {
	w.mu.Lock()
	defer w.mu.Unlock()
	before := w.last[string(hub.UID)]
	w.last[string(hub.UID)] = hub
	if hub.Status.ObservedGeneration == 0 {
		return // the manager has not seen it yet
	}
	w.statuses++
	if err := errors.Join(checkConditions(hub), checkFigures(hub), checkTransitions(before, hub), checkKstatus(hub)); err != nil {
		shown, _ := json.MarshalIndent(hub.Status, "", "  ")
		w.violations = append(w.violations, fmt.Sprintf("%s: %v\n%s", hub.Name, err, shown))
	}
}

// complaints are the violations since the last asking.
func (w *witness) complaints() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	violations := w.violations
	w.violations = nil
	return violations
}

func (w *witness) seen() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.statuses
}

func checkConditions(hub *v1alpha1.RegistryHub) error {
	list := hub.Status.Conditions
	is := func(kind string) bool { return meta.IsStatusConditionTrue(list, kind) }
	ready, reconciling, stalled := is(v1alpha1.ConditionReady), is(v1alpha1.ConditionReconciling), is(v1alpha1.ConditionStalled)
	var errs []error
	if meta.FindStatusCondition(list, v1alpha1.ConditionReady) == nil {
		errs = append(errs, errors.New("Ready is absent"))
	}
	if ready && (reconciling || stalled) {
		errs = append(errs, errors.New("something abnormal stands beside Ready=True"))
	}
	if stalled && reconciling {
		errs = append(errs, errors.New("Stalled and Reconciling at once"))
	}
	if !ready && !stalled && !reconciling {
		errs = append(errs, errors.New("not Ready, and neither Stalled nor Reconciling"))
	}
	for _, condition := range list {
		errs = append(errs, checkCondition(hub, condition))
	}
	return errors.Join(errs...)
}

func checkCondition(hub *v1alpha1.RegistryHub, condition metav1.Condition) error {
	abnormal := condition.Type == v1alpha1.ConditionReconciling || condition.Type == v1alpha1.ConditionStalled
	switch {
	case abnormal && condition.Status != metav1.ConditionTrue:
		return fmt.Errorf("%s is there and not True", condition.Type)
	case condition.ObservedGeneration != hub.Status.ObservedGeneration:
		return fmt.Errorf("%s speaks of generation %d, the status of %d", condition.Type, condition.ObservedGeneration, hub.Status.ObservedGeneration)
	case len(condition.Message) > 1024 || condition.Message == "":
		return fmt.Errorf("%s has a message of %d bytes", condition.Type, len(condition.Message))
	}
	return nil
}

func checkFigures(hub *v1alpha1.RegistryHub) error {
	figures := hub.Status.Nodes
	if figures == nil {
		return nil
	}
	sorted := slices.IsSortedFunc(figures.Failing, func(a, b v1alpha1.FailingNode) int { return strings.Compare(a.Name, b.Name) })
	switch {
	case figures.Wired > figures.Desired || figures.Wired < 0:
		return fmt.Errorf("%d of %d nodes wired", figures.Wired, figures.Desired)
	case figures.Summary != fmt.Sprintf("%d/%d", figures.Wired, figures.Desired):
		return fmt.Errorf("summary is %q", figures.Summary)
	case !sorted || len(figures.Failing) > 10:
		return errors.New("failing nodes are unsorted, or too many")
	}
	return nil
}

// checkTransitions holds that a transition time moves with the status and never without it.
func checkTransitions(before, after *v1alpha1.RegistryHub) error {
	if before == nil {
		return nil
	}
	for _, is := range after.Status.Conditions {
		was := meta.FindStatusCondition(before.Status.Conditions, is.Type)
		if was != nil && was.Status == is.Status && !was.LastTransitionTime.Equal(&is.LastTransitionTime) {
			return fmt.Errorf("%s: the transition time moved without a transition", is.Type)
		}
	}
	return nil
}

// checkKstatus holds what kstatus makes of a status to what the conditions mean.
func checkKstatus(hub *v1alpha1.RegistryHub) error {
	got, err := kstatusOf(hub)
	if err != nil {
		return err
	}
	want := status.InProgressStatus
	switch {
	case hub.DeletionTimestamp != nil:
		want = status.TerminatingStatus
	case hub.Status.ObservedGeneration != hub.Generation:
		want = status.InProgressStatus
	case meta.IsStatusConditionTrue(hub.Status.Conditions, v1alpha1.ConditionStalled):
		want = status.FailedStatus
	case meta.IsStatusConditionTrue(hub.Status.Conditions, v1alpha1.ConditionReady):
		want = status.CurrentStatus
	}
	if got != want {
		return fmt.Errorf("kstatus makes it %s, want %s", got, want)
	}
	return nil
}

// kstatusOf asks the library that Flux, kpt and others decide with.
func kstatusOf(hub *v1alpha1.RegistryHub) (status.Status, error) {
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(hub)
	if err != nil {
		return "", err
	}
	object := &unstructured.Unstructured{Object: content}
	object.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("RegistryHub"))
	result, err := status.Compute(object)
	if err != nil {
		return "", err
	}
	return result.Status, nil
}
