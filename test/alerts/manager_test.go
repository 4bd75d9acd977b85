package alerts

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	ctrlmetrics "sigs.k8s.io/controller-runtime/pkg/metrics"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/registryhub/registryhub/api/v1alpha1"
	"github.com/registryhub/registryhub/controllers/metrics"
)

// startManager tells what a manager tells of one hub, and gives the address. A controller of it has worked, failed and asked the
// API server.
func startManager(t *testing.T) (address string) {
	t.Helper()
	m := metrics.NewManager(cache{}, ctrlmetrics.Registry)
	now := metav1.Now()
	m.Expires(metrics.Authority, now.AddDate(5, 0, 0))
	m.Expires(metrics.NodeClient, now.AddDate(0, 3, 0))
	background(t, m.Start)
	workOnce(t)
	askOnce(t)
	server := httptest.NewServer(promhttp.HandlerFor(ctrlmetrics.Registry, promhttp.HandlerOpts{ErrorHandling: promhttp.HTTPErrorOnError}))
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

// background runs something until the test ends.
func background(t *testing.T, run func(context.Context) error) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- run(ctx) }()
	t.Cleanup(func() {
		stop()
		must(t, <-ended)
	})
}

// workOnce has a controller of controller-runtime's fail once, and then succeed.
func workOnce(t *testing.T) {
	t.Helper()
	done := make(chan struct{})
	tries := 0
	work := reconcile.Func(func(context.Context, reconcile.Request) (reconcile.Result, error) {
		if tries++; tries == 1 {
			return reconcile.Result{}, errors.New("as it should")
		}
		close(done)
		return reconcile.Result{}, nil
	})
	c, err := controller.NewUnmanaged("registryhub", controller.Options{Reconciler: work, SkipNameValidation: new(true)})
	must(t, err)
	must(t, c.Watch(source.Func(func(_ context.Context, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
		queue.Add(reconcile.Request{})
		return nil
	})))
	background(t, c.Start)
	<-done
}

// askOnce asks an API server, as client-go does.
func askOnce(t *testing.T) {
	t.Helper()
	server := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(server.Close)
	clients, err := kubernetes.NewForConfig(&rest.Config{Host: server.URL})
	must(t, err)
	if _, err := clients.CoreV1().Nodes().List(t.Context(), metav1.ListOptions{}); err == nil {
		t.Fatal("an API server without nodes lists them")
	}
}

// cache has one hub of every kind of condition, and a node that it does not reach.
type cache struct{ client.Reader }

// List gives what there is.
func (cache) List(_ context.Context, into client.ObjectList, _ ...client.ListOption) error {
	switch list := into.(type) {
	case *v1alpha1.RegistryHubList:
		hub := v1alpha1.RegistryHub{ObjectMeta: metav1.ObjectMeta{Name: "docker-io"}}
		hub.Status.Nodes = &v1alpha1.NodesStatus{Desired: 12, Wired: 11}
		for _, kind := range []string{v1alpha1.ConditionReady, v1alpha1.ConditionProxyAvailable, v1alpha1.ConditionNodesWired} {
			hub.Status.Conditions = append(hub.Status.Conditions, metav1.Condition{Type: kind, Status: metav1.ConditionTrue, Reason: "Ready"})
		}
		list.Items = []v1alpha1.RegistryHub{hub}
	case *v1alpha1.NodeMirrorList:
		var mirror v1alpha1.NodeMirror
		mirror.Status.Exceptions = []v1alpha1.NodeException{{Hub: "docker-io", Host: "docker.io", Reason: v1alpha1.NodeReasonHubUnreachable}}
		list.Items = []v1alpha1.NodeMirror{mirror}
	}
	return nil
}
