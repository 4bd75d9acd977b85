package proxies_test

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/api/v1alpha1"
	"github.com/registryhub/registryhub/controllers/proxies"
)

var key = types.NamespacedName{Namespace: "ns", Name: "hub-a-1"}

// world is a hub a with one Pod, which says what it is told to say.
type world struct {
	t      *testing.T
	client client.Client
	*proxies.Reconciler
	queue workqueue.TypedRateLimitingInterface[reconcile.Request]

	mu      sync.Mutex
	now     time.Time
	says    configv1alpha1.ProxyReport
	silent  bool
	patches int
}

func begin(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, now: time.Unix(1000, 0), queue: workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[reconcile.Request]())}
	t.Cleanup(w.queue.ShutDown)
	host, port, err := net.SplitHostPort(pod(t, w.answer))
	w.must(err)
	number, err := strconv.Atoi(port)
	w.must(err)
	labels := map[string]string{v1alpha1.LabelHub: "a"}
	w.client = interceptor.NewClient(fake.NewClientBuilder().WithObjects(
		&corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name, UID: "one", Labels: labels},
			Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "proxy", Ports: []corev1.ContainerPort{
				{Name: "registry", ContainerPort: 1}, {Name: "diagnostics", ContainerPort: int32(number)},
			}}}},
			Status: corev1.PodStatus{PodIP: host, Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}},
		},
		&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: "hub-a", Labels: labels}, Data: map[string]string{"config.yaml": "first"}},
	).Build(), interceptor.Funcs{
		Patch: func(ctx context.Context, c client.WithWatch, o client.Object, p client.Patch, opts ...client.PatchOption) error {
			w.patches++
			return c.Patch(ctx, o, p, opts...)
		},
	})
	w.Reconciler = &proxies.Reconciler{
		Client: w.client, Proxies: proxies.NewClient(), Reports: proxies.NewReports(), Now: func() time.Time { return w.now },
	}
	w.must(w.Reports.Changes().Start(t.Context(), w.queue))
	return w
}

func (w *world) answer(response http.ResponseWriter, _ *http.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.silent {
		response.WriteHeader(http.StatusNotFound)
		return
	}
	_ = json.NewEncoder(response).Encode(w.says)
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func hashOf(content string) string { return configv1alpha1.Hash([]byte(content)) }

// serves lets the Pod serve with a content of its file.
func (w *world) serves(content string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.says, w.silent = configv1alpha1.ProxyReport{InForce: hashOf(content)}, false
}

func (w *world) falls(silent bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.silent = silent
}

// wants changes the ConfigMap.
func (w *world) wants(content string) {
	w.t.Helper()
	configMap := &corev1.ConfigMap{}
	w.must(w.client.Get(w.t.Context(), types.NamespacedName{Namespace: key.Namespace, Name: "hub-a"}, configMap))
	configMap.Data["config.yaml"] = content
	w.must(w.client.Update(w.t.Context(), configMap))
}

// change changes the Pod.
func (w *world) change(edit func(*corev1.Pod)) {
	w.t.Helper()
	edited := w.pod()
	edit(edited)
	status := edited.Status
	w.must(w.client.Update(w.t.Context(), edited))
	edited.Status = status
	w.must(w.client.Status().Update(w.t.Context(), edited))
}

func (w *world) pod() *corev1.Pod {
	w.t.Helper()
	read := &corev1.Pod{}
	w.must(w.client.Get(w.t.Context(), key, read))
	return read
}

// reconciled reconciles the Pod, and says after how long it is looked at again, and whether the hub is.
func (w *world) reconciled() (again time.Duration, told bool) {
	w.t.Helper()
	result, err := w.Reconcile(w.t.Context(), reconcile.Request{NamespacedName: key})
	w.must(err)
	told = w.queue.Len() > 0
	for w.queue.Len() > 0 {
		item, _ := w.queue.Get()
		if item.Name != "a" {
			w.t.Errorf("hub %q is told", item.Name)
		}
		w.queue.Done(item)
	}
	return result.RequeueAfter, told
}

func (w *world) want(again time.Duration, told bool) {
	w.t.Helper()
	gotAgain, gotTold := w.reconciled()
	if gotAgain != again || gotTold != told {
		w.t.Errorf("it is looked at again in %s, and the hub told: %v; want %s, %v", gotAgain, gotTold, again, told)
	}
}

func TestAPodIsAskedSeldomWhileAllIsWell(t *testing.T) {
	t.Parallel()
	w := begin(t)
	w.serves("first")
	w.want(time.Minute, true)
	for range 10 {
		w.now = w.now.Add(time.Minute)
		w.want(time.Minute, false)
	}
	if reports := w.Reports.Of("a"); len(reports) != 1 || !reports[0].ServesWith(hashOf("first")) {
		t.Errorf("known is %+v", reports)
	}
	if w.patches != 0 {
		t.Errorf("%d patches of a Pod that has what it should", w.patches)
	}
	if reports := w.Reports.Of("b"); len(reports) != 0 {
		t.Errorf("of another hub is known %+v", reports)
	}
}

func TestAPodIsAskedMoreOftenWhileItPullsAhead(t *testing.T) {
	t.Parallel()
	many := make([]configv1alpha1.PrewarmFailure, configv1alpha1.MaxPrewarmFailing)
	cases := map[string]struct {
		says configv1alpha1.PrewarmReport
		want time.Duration
	}{
		"nothing is there yet":               {configv1alpha1.PrewarmReport{Images: 2}, 10 * time.Second},
		"some are there":                     {configv1alpha1.PrewarmReport{Images: 3, Warm: 1, Failing: many[:1]}, 10 * time.Second},
		"all are there":                      {configv1alpha1.PrewarmReport{Images: 2, Warm: 2}, time.Minute},
		"the others cannot be pulled":        {configv1alpha1.PrewarmReport{Images: 3, Warm: 1, Failing: many[:2]}, time.Minute},
		"more cannot be pulled than is told": {configv1alpha1.PrewarmReport{Images: 30, Warm: 1, Failing: many}, time.Minute},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := begin(t)
			w.serves("first")
			w.says.Prewarm = &tc.says
			w.want(tc.want, true)
		})
	}
}

func TestAPodThatLagsIsNudgedOnceAndAskedLessAndLess(t *testing.T) {
	t.Parallel()
	w := begin(t)
	w.serves("first")
	w.reconciled()
	w.wants("second")
	w.want(time.Second, true)
	w.want(time.Second, false)
	if got := w.pod().Annotations[v1alpha1.AnnotationConfigHash]; got != hashOf("second") {
		t.Errorf("the Pod is annotated %q, want the wanted hash", got)
	}
	var waits []time.Duration
	for _, waited := range []time.Duration{2 * time.Second, 8 * time.Second, 20 * time.Second, time.Hour} {
		w.now = time.Unix(1000, 0).Add(waited)
		again, _ := w.reconciled()
		waits = append(waits, again)
	}
	if diff := cmp.Diff([]time.Duration{time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second}, waits); diff != "" {
		t.Errorf("it is asked again after (-want +got):\n%s", diff)
	}
	w.serves("second")
	w.want(time.Minute, true)
	w.serves("first")
	w.wants("first")
	w.want(time.Minute, true)
	if w.patches != 1 {
		t.Errorf("%d patches, want one for each configuration that did not come by itself", w.patches)
	}
}

func TestAnAskingThatComesToNothingTakesNothingAway(t *testing.T) {
	t.Parallel()
	w := begin(t)
	w.serves("first")
	w.reconciled()
	w.falls(true)
	w.want(time.Minute, true)
	report := w.Reports.Of("a")[0]
	if !report.ServesWith(hashOf("first")) || report.Problem != "it answers 404" {
		t.Errorf("known is %+v", report)
	}
	w.wants("second")
	w.want(time.Second, true)
	w.wants("first") // nobody answered since another was wanted
	w.want(time.Second, false)
	w.falls(false)
	w.want(time.Minute, true)
	if report := w.Reports.Of("a")[0]; report.Problem != "" {
		t.Errorf("known is %+v", report)
	}
}

func TestOnlyPodsThatAreReadyAreKnown(t *testing.T) {
	t.Parallel()
	cases := map[string]func(*world){
		"it is not Ready": func(w *world) {
			w.change(func(p *corev1.Pod) { p.Status.Conditions[0].Status = corev1.ConditionFalse })
		},
		"it has no address": func(w *world) { w.change(func(p *corev1.Pod) { p.Status.PodIP = "" }) },
		"it has no port":    func(w *world) { w.change(func(p *corev1.Pod) { p.Spec.Containers[0].Ports = nil }) },
		"it is going": func(w *world) {
			w.change(func(p *corev1.Pod) { p.Finalizers = []string{"example.com/held"} })
			w.must(w.client.Delete(w.t.Context(), w.pod()))
		},
		"it is gone": func(w *world) { w.must(w.client.Delete(w.t.Context(), w.pod())) },
	}
	for name, happens := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := begin(t)
			w.serves("first")
			w.reconciled()
			happens(w)
			w.want(0, true)
			if reports := w.Reports.Of("a"); len(reports) != 0 {
				t.Errorf("known is %+v", reports)
			}
			w.want(0, false)
		})
	}
}

func TestAnotherPodOfTheNameIsAnother(t *testing.T) {
	t.Parallel()
	w := begin(t)
	w.serves("first")
	w.reconciled()
	w.change(func(p *corev1.Pod) { p.UID = "two" })
	w.falls(true)
	w.want(time.Second, true)
	if report := w.Reports.Of("a")[0]; report.InForce != "" {
		t.Errorf("the earlier one's answer is kept: %+v", report)
	}
}

func TestAPodWithoutAConfigMapIsLeftAlone(t *testing.T) {
	t.Parallel()
	w := begin(t)
	w.must(w.client.Delete(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: "hub-a"}}))
	w.want(0, false)
	if w.patches != 0 {
		t.Errorf("%d patches", w.patches)
	}
}

func TestSlimKeepsWhatIsRead(t *testing.T) {
	t.Parallel()
	w := begin(t)
	w.serves("second")
	w.change(func(p *corev1.Pod) {
		p.Annotations = map[string]string{"other": "x", v1alpha1.AnnotationConfigHash: hashOf("first")}
		p.Spec.Containers[0].Env = []corev1.EnvVar{{Name: "SECRET", Value: "x"}}
		slim := p.DeepCopy()
		proxies.Slim(slim)
		*p = *slim
	})
	if got := w.pod(); len(got.Annotations) != 1 || len(got.Spec.Containers[0].Env) != 0 {
		t.Errorf("kept are %v and %v", got.Annotations, got.Spec.Containers[0])
	}
	w.want(time.Second, true)
	if w.patches != 0 {
		t.Errorf("%d patches of a Pod that was nudged already", w.patches)
	}
}
