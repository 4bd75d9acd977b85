package envtest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/registryhub/registryhub/api/v1alpha1"
	"github.com/registryhub/registryhub/test/gitops"
)

// witness sees every status of every hub that the suite brings about, and holds it to the invariants.
type witness struct {
	client  client.WithWatch
	stopped chan struct{}
	done    chan struct{}

	mu         sync.Mutex
	last       map[string]*v1alpha1.RegistryHub
	table      map[gitops.State]gitops.Verdicts
	states     map[gitops.State]int
	statuses   int
	violations []string
}

func watchHubs() (*witness, error) {
	watcher, err := client.NewWithWatch(cluster, client.Options{Scheme: k8s.Scheme()})
	if err != nil {
		return nil, err
	}
	table, err := gitops.ReadTable("../../docs/conditions.md")
	if err != nil {
		return nil, err
	}
	w := &witness{
		client: watcher, stopped: make(chan struct{}), done: make(chan struct{}),
		last: map[string]*v1alpha1.RegistryHub{}, table: table, states: map[gitops.State]int{},
	}
	watching, err := w.watch()
	if err != nil {
		return nil, err
	}
	go w.run(watching)
	return w, nil
}

func (w *witness) stop() {
	close(w.stopped)
	<-w.done
}

func (w *witness) watch() (watch.Interface, error) {
	return w.client.Watch(context.Background(), &v1alpha1.RegistryHubList{})
}

// run looks on until it is stopped. Watches end when the API server does, or when a kind of objects is changed.
func (w *witness) run(watching watch.Interface) {
	defer close(w.done)
	for w.look(watching) {
		for again, err := w.watch(); ; again, err = w.watch() {
			if err == nil {
				watching = again
				w.missed()
				break
			}
			select {
			case <-w.stopped:
				return
			case <-time.After(100 * time.Millisecond):
			}
		}
	}
}

// missed forgets what hubs were like: who knows what they were meanwhile.
func (w *witness) missed() {
	w.mu.Lock()
	defer w.mu.Unlock()
	clear(w.last)
}

// look sees what a watch shows, and says whether there is more to see when that has ended.
func (w *witness) look(watching watch.Interface) bool {
	defer watching.Stop()
	for {
		select {
		case <-w.stopped:
			return false
		case event, more := <-watching.ResultChan():
			if !more {
				return true
			}
			if hub, isHub := event.Object.(*v1alpha1.RegistryHub); isHub && event.Type != watch.Deleted {
				w.see(hub)
			}
		}
	}
}

func (w *witness) see(hub *v1alpha1.RegistryHub) {
	w.mu.Lock()
	defer w.mu.Unlock()
	before := w.last[string(hub.UID)]
	w.last[string(hub.UID)] = hub
	err := w.checkVerdicts(hub)
	if hub.Status.ObservedGeneration > 0 { // the manager has seen it
		w.statuses++
		err = errors.Join(err, checkConditions(hub), checkFigures(hub), checkUpstreams(hub), checkTransitions(before, hub))
	}
	if err != nil {
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
	suspended := is(v1alpha1.ConditionSuspended)
	if suspended && (reconciling || stalled) {
		errs = append(errs, errors.New("Suspended, and Stalled or Reconciling"))
	}
	if !ready && !stalled && !reconciling && !suspended {
		errs = append(errs, errors.New("not Ready, and neither Stalled nor Reconciling nor Suspended"))
	}
	for _, condition := range list {
		errs = append(errs, checkCondition(hub, condition))
	}
	return errors.Join(errs...)
}

func checkCondition(hub *v1alpha1.RegistryHub, condition metav1.Condition) error {
	abnormal := slices.Contains([]string{v1alpha1.ConditionReconciling, v1alpha1.ConditionStalled, v1alpha1.ConditionSuspended}, condition.Type)
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

// checkUpstreams holds that the condition says what the list of upstreams does.
func checkUpstreams(hub *v1alpha1.RegistryHub) error {
	if hub.DeletionTimestamp != nil {
		return nil
	}
	want := metav1.ConditionStatus("")
	for _, upstream := range hub.Status.Upstreams {
		switch {
		case upstream.Reachable == nil:
		case !*upstream.Reachable:
			want = metav1.ConditionFalse
		case want == "":
			want = metav1.ConditionTrue
		}
	}
	got := metav1.ConditionStatus("")
	if condition := meta.FindStatusCondition(hub.Status.Conditions, v1alpha1.ConditionUpstreamReachable); condition != nil {
		got = condition.Status
	}
	if got != want {
		return fmt.Errorf("UpstreamReachable is %q, and by the upstreams it is %q", got, want)
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

// checkVerdicts holds what GitOps tools make of a status to the table of the docs.
func (w *witness) checkVerdicts(hub *v1alpha1.RegistryHub) error {
	got, message, err := verdictsOf(hub)
	if err != nil {
		return err
	}
	state := stateOf(hub)
	want, there := w.table[state]
	w.states[state]++
	switch {
	case !there:
		return fmt.Errorf("the state %+v is not in the docs' table", state)
	case got != want:
		return fmt.Errorf("in the state %+v the tools say %+v, the docs %+v", state, got, want)
	case message == "":
		return errors.New("Argo CD shows no message")
	}
	return nil
}

// unseen are the states of the table that the suite has not brought about.
func (w *witness) unseen() []gitops.State {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.DeleteFunc(slices.Collect(maps.Keys(w.table)), func(state gitops.State) bool { return w.states[state] > 0 })
}

func stateOf(hub *v1alpha1.RegistryHub) gitops.State {
	list := hub.Status.Conditions
	if hub.Status.ObservedGeneration != hub.Generation && hub.DeletionTimestamp == nil {
		return gitops.State{}
	}
	is := func(kind string) bool { return meta.IsStatusConditionTrue(list, kind) }
	state := gitops.State{
		Ready: "False", Reconciling: is(v1alpha1.ConditionReconciling), Stalled: is(v1alpha1.ConditionStalled), Suspended: is(v1alpha1.ConditionSuspended),
	}
	if is(v1alpha1.ConditionReady) {
		state.Ready = "True"
	}
	if hub.DeletionTimestamp != nil {
		// A deletion counts from its first moment, whatever the conditions still say.
		state = gitops.State{Ready: "False", Reconciling: true, Deleting: true}
	}
	return state
}

func verdictsOf(hub *v1alpha1.RegistryHub) (gitops.Verdicts, string, error) {
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(hub)
	if err != nil {
		return gitops.Verdicts{}, "", err
	}
	object := &unstructured.Unstructured{Object: content}
	object.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("RegistryHub"))
	return judges.Of(object)
}
