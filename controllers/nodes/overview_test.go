package nodes

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/api/v1alpha1"
)

// hubsOfTwoPools are three hubs, of which the last is on no node of pool a.
func hubsOfTwoPools() []client.Object {
	var objects []client.Object
	for i, pool := range []string{"a", "a", "b"} {
		hub := &v1alpha1.RegistryHub{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("hub-%d", i), UID: types.UID(fmt.Sprintf("uid-%d", i))}}
		hub.Spec.Hosts = []v1alpha1.RegistryHost{v1alpha1.RegistryHost(fmt.Sprintf("%d.example", i))}
		hub.Spec.Nodes.Selector = &metav1.LabelSelector{MatchLabels: map[string]string{"pool": pool}}
		objects = append(objects, hub)
	}
	return objects
}

func nodesOfTwoPools() []client.Object {
	var objects []client.Object
	for i, pool := range []string{"a", "a", "b"} {
		name := fmt.Sprintf("node-%d", i)
		objects = append(objects,
			&corev1.Node{
				ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{corev1.LabelOSStable: "linux", "pool": pool}},
				Status:     corev1.NodeStatus{Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}},
			},
			&corev1.Pod{
				ObjectMeta: metav1.ObjectMeta{
					Namespace: "operator", Name: name, CreationTimestamp: metav1.NewTime(time.Unix(1, 0)),
					Labels: map[string]string{"app.kubernetes.io/name": "registryhub", "app.kubernetes.io/component": "node-agent"},
				},
				Spec: corev1.PodSpec{NodeName: name},
			},
			&v1alpha1.NodeMirror{ObjectMeta: metav1.ObjectMeta{Name: name}},
		)
	}
	return objects
}

// overviewOf is an overview of a cluster, and the hubs that it tells of since the last asking, sorted.
func overviewOf(t *testing.T, now func() time.Time) (overview *Overview, cluster client.Client, told func() []string) {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	cluster = fake.NewClientBuilder().WithScheme(scheme).WithObjects(append(hubsOfTwoPools(), nodesOfTwoPools()...)...).
		WithObjects(&appsv1.DaemonSet{ObjectMeta: metav1.ObjectMeta{Namespace: "operator", Name: configv1alpha1.NodeAgentName}}).
		WithStatusSubresource(&v1alpha1.NodeMirror{}, &v1alpha1.RegistryHub{}).Build()
	// Every node is within its grace: figures have a time to settle.
	overview = &Overview{Client: cluster, Namespace: "operator", Now: now, Grace: 200 * 365 * 24 * time.Hour}
	queue := workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[reconcile.Request]())
	t.Cleanup(queue.ShutDown)
	if err := overview.Changes().Start(t.Context(), queue); err != nil {
		t.Fatal(err)
	}
	return overview, cluster, func() []string {
		var names []string
		for queue.Len() > 0 {
			request, _ := queue.Get()
			queue.Done(request)
			names = append(names, request.Name)
		}
		slices.Sort(names)
		return names
	}
}

// tell writes a NodeConfiguration with an entry of each hub, the first of which was changed in this revision.
func tell(t *testing.T, cluster client.Client, revision int64) {
	t.Helper()
	configuration := &configv1alpha1.NodeConfiguration{Revision: revision}
	for _, object := range hubsOfTwoPools() {
		hub, _ := object.(*v1alpha1.RegistryHub)
		entry := WantedEntry(hub, "https://10.0.0.1:5000", nil, nil)
		entry.Revision = 1
		configuration.Hubs = append(configuration.Hubs, entry)
	}
	configuration.Hubs[0].Revision = revision
	text, err := configv1alpha1.Encode(configuration)
	if err != nil {
		t.Fatal(err)
	}
	object := &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: "operator", Name: configv1alpha1.NodeConfigurationName},
		Data:       map[string]string{configv1alpha1.NodeConfigurationKey: string(text)},
	}
	err = cluster.Update(t.Context(), object)
	if apierrors.IsNotFound(err) {
		err = cluster.Create(t.Context(), object)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func report(t *testing.T, cluster client.Client, node string, revision int64) {
	t.Helper()
	mirror := &v1alpha1.NodeMirror{}
	if err := cluster.Get(t.Context(), client.ObjectKey{Name: node}, mirror); err != nil {
		t.Fatal(err)
	}
	mirror.Status.Revision = revision
	if err := cluster.Status().Update(t.Context(), mirror); err != nil {
		t.Fatal(err)
	}
}

func TestAnOverviewTellsOfTheHubsForWhichItMakesADifference(t *testing.T) {
	t.Parallel()
	all := []string{"hub-0", "hub-1", "hub-2"}
	steps := []struct {
		name string
		do   func(t *testing.T, cluster client.Client)
		want []string
	}{
		{"the first is of all", func(*testing.T, client.Client) {}, all},
		{"nothing happens", func(*testing.T, client.Client) {}, nil},
		{"the nodes are told", func(t *testing.T, c client.Client) { t.Helper(); tell(t, c, 1) }, all},
		{"a node of pool a reports", func(t *testing.T, c client.Client) { t.Helper(); report(t, c, "node-0", 1) }, []string{"hub-0", "hub-1"}},
		{"it says it once more", func(t *testing.T, c client.Client) { t.Helper(); report(t, c, "node-0", 1) }, nil},
		{"one of pool b reports", func(t *testing.T, c client.Client) { t.Helper(); report(t, c, "node-2", 1) }, []string{"hub-2"}},
		{"one hub changes", func(t *testing.T, c client.Client) { t.Helper(); tell(t, c, 2) }, []string{"hub-0"}},
		{"a node that had it reports the change", func(t *testing.T, c client.Client) { t.Helper(); report(t, c, "node-0", 2) }, []string{"hub-0"}},
		{"another hub claims a host", claimTheHostOfHub0, []string{"hub-1"}},
		{"a hub that is made suspended claims nothing", claimTheHostOfHub1Suspended, []string{"hub-00"}},
		{"until it is not suspended any more", resumeHub00, []string{"hub-1"}},
		{"a hub that is being deleted is told of all", deleteHub2, []string{"hub-2"}},
		{"even if it makes no difference", func(*testing.T, client.Client) {}, []string{"hub-2"}},
	}
	overview, cluster, told := overviewOf(t, time.Now)
	for _, step := range steps {
		step.do(t, cluster)
		if _, _, err := overview.make(t.Context()); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(step.want, told()); diff != "" {
			t.Errorf("%s: hubs told of (-want +got):\n%s", step.name, diff)
		}
	}
}

func claimTheHostOfHub0(t *testing.T, cluster client.Client) {
	t.Helper()
	hub := &v1alpha1.RegistryHub{}
	if err := cluster.Get(t.Context(), client.ObjectKey{Name: "hub-1"}, hub); err != nil {
		t.Fatal(err)
	}
	hub.Spec.Hosts = append(hub.Spec.Hosts, "0.example")
	if err := cluster.Update(t.Context(), hub); err != nil {
		t.Fatal(err)
	}
}

func claimTheHostOfHub1Suspended(t *testing.T, cluster client.Client) {
	t.Helper()
	hub := &v1alpha1.RegistryHub{ObjectMeta: metav1.ObjectMeta{Name: "hub-00", UID: "uid-00"}}
	hub.Spec.Suspend = true
	hub.Spec.Hosts = []v1alpha1.RegistryHost{"1.example"}
	if err := cluster.Create(t.Context(), hub); err != nil {
		t.Fatal(err)
	}
}

func resumeHub00(t *testing.T, cluster client.Client) {
	t.Helper()
	hub := &v1alpha1.RegistryHub{}
	if err := cluster.Get(t.Context(), client.ObjectKey{Name: "hub-00"}, hub); err != nil {
		t.Fatal(err)
	}
	hub.Spec.Suspend = false
	if err := cluster.Update(t.Context(), hub); err != nil {
		t.Fatal(err)
	}
}

func deleteHub2(t *testing.T, cluster client.Client) {
	t.Helper()
	hub := &v1alpha1.RegistryHub{}
	if err := cluster.Get(t.Context(), client.ObjectKey{Name: "hub-2"}, hub); err != nil {
		t.Fatal(err)
	}
	hub.Finalizers = []string{v1alpha1.Finalizer}
	if err := cluster.Update(t.Context(), hub); err != nil {
		t.Fatal(err)
	}
	if err := cluster.Delete(t.Context(), hub); err != nil {
		t.Fatal(err)
	}
}

func TestOverviewsAreMadeAtAPace(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_000_000, 0)
	overview, _, told := overviewOf(t, func() time.Time { return now })
	r := &OverviewReconciler{Overview: overview}
	look := func() time.Duration {
		t.Helper()
		result, err := r.Reconcile(context.Background(), reconcile.Request{})
		if err != nil {
			t.Fatal(err)
		}
		return result.RequeueAfter
	}
	if wait := look(); wait != 0 || len(told()) != 3 {
		t.Errorf("the first is put off by %s", wait)
	}
	now = now.Add(settleDelay / 4)
	if wait := look(); wait != settleDelay*3/4 {
		t.Errorf("soon after, the next is put off by %s, want the rest of %s", wait, settleDelay)
	}
	now = now.Add(settleDelay)
	if wait := look(); wait != 0 {
		t.Errorf("when it is time, the next is put off by %s", wait)
	}
}

func TestSettlingGrowsWithHubsAndNodes(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		hubs, nodes int
		want        time.Duration
	}{
		"of a usual cluster is short":          {10, 100, settleDelay},
		"of hundreds of each is a bit more":    {100, 1000, 500 * time.Millisecond},
		"of what is planned for is seconds":    {200, 5000, 5 * time.Second},
		"of more than that does not grow more": {1000, 15000, longestSettling},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := settling(tc.hubs, tc.nodes); got != tc.want {
				t.Errorf("settling(%d hubs, %d nodes) = %s, want %s", tc.hubs, tc.nodes, got, tc.want)
			}
		})
	}
}

func TestSpacingIsWhatTheAPIServerNeedsToSend(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		size, nodes int
		want        time.Duration
	}{
		"nothing to speak of in a usual cluster": {4 << 10, 128, 10 * time.Millisecond},
		"seconds for hundreds of hubs":           {50 << 10, 5 << 10, 5 * time.Second},
		"and then no more":                       {1 << 20, 15000, longestSpacing},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := spacing(tc.size, tc.nodes).Round(10 * time.Millisecond); got != tc.want {
				t.Errorf("spacing(%d bytes, %d nodes) = %s, want %s", tc.size, tc.nodes, got, tc.want)
			}
		})
	}
}

func TestTheConfigurationIsDecodedOnceAVersion(t *testing.T) {
	t.Parallel()
	overview, cluster, _ := overviewOf(t, time.Now)
	read := func() *configv1alpha1.NodeConfiguration {
		t.Helper()
		configuration, err := overview.Configuration(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return configuration
	}
	if got := read(); got != nil {
		t.Errorf("without a ConfigMap there is %+v", got)
	}
	tell(t, cluster, 1)
	first := read()
	if first != read() {
		t.Error("the same version is decoded again")
	}
	tell(t, cluster, 2)
	if got := read(); got.Revision != 2 {
		t.Errorf("of the next version revision %d is read", got.Revision)
	}
}
