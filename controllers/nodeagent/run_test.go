package nodeagent

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrlmetrics "sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/registryhub/registryhub/api/v1alpha1"
)

// apiServer answers just what an agent may ask for, and notes everything that it asks.
type apiServer struct {
	objects map[string]client.Object
	// reported gets the agent's first report.
	reported chan struct{}

	mu    sync.Mutex
	asked map[string]bool
}

const selected = "?fieldSelector=metadata.name%3D"

func newAPIServer(t *testing.T) (*apiServer, *rest.Config) {
	t.Helper()
	answering := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(answering.Close)
	wired := hub("docker-io", "docker.io")
	wired.Endpoint = answering.URL
	c := configMap(t, configuration(5, wired))
	c.TypeMeta = metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"}
	mirror := ownMirror()
	mirror.TypeMeta = metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "NodeMirror"}
	node := ownNode(nil)
	node.TypeMeta = metav1.TypeMeta{APIVersion: "v1", Kind: "Node"}
	s := &apiServer{reported: make(chan struct{}, 1), asked: map[string]bool{}, objects: map[string]client.Object{
		"/api/v1/namespaces/registryhub-system/configmaps" + selected + "registryhub-node-configuration": c,
		"/api/v1/nodes" + selected + nodeName:                             node,
		"/apis/registryhub.io/v1alpha1/nodemirrors" + selected + nodeName: mirror,
	}}
	for _, object := range s.objects {
		object.SetResourceVersion("1")
	}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	return s, &rest.Config{Host: server.URL, ContentConfig: rest.ContentConfig{ContentType: "application/json"}}
}

func (s *apiServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	selector := r.URL.Query().Get("fieldSelector")
	what := r.URL.Path
	if selector != "" {
		what += "?fieldSelector=" + strings.ReplaceAll(selector, "=", "%3D")
	}
	s.mu.Lock()
	s.asked[r.Method+" "+what] = true
	s.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	object, there := s.objects[what]
	switch {
	case r.Method == http.MethodPatch:
		w.WriteHeader(http.StatusOK)
		_ = json.NewEncoder(w).Encode(ownMirror())
		if body, err := io.ReadAll(r.Body); err != nil || !strings.Contains(string(body), `"revision":5`) {
			return // before the hub has answered, what is reported is the revision before
		}
		select {
		case s.reported <- struct{}{}:
		default:
		}
	case there && r.URL.Query().Get("watch") != "":
		s.watch(w, r, object)
	default:
		w.WriteHeader(http.StatusNotFound)
		_ = json.NewEncoder(w).Encode(metav1.Status{
			TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"},
			Status:   metav1.StatusFailure, Reason: metav1.StatusReasonNotFound, Code: http.StatusNotFound,
		})
	}
}

// watch sends the object, says that this was all, and then waits for the client to leave.
func (s *apiServer) watch(w http.ResponseWriter, r *http.Request, object client.Object) {
	end := object.DeepCopyObject().(client.Object)
	end.SetAnnotations(map[string]string{metav1.InitialEventsAnnotationKey: "true"})
	encoder := json.NewEncoder(w)
	_ = encoder.Encode(map[string]any{"type": "ADDED", "object": object})
	_ = encoder.Encode(map[string]any{"type": "BOOKMARK", "object": end})
	w.(http.Flusher).Flush()
	<-r.Context().Done()
}

// tellsMetrics says whether an agent's metrics are among those that the process serves.
func tellsMetrics(t *testing.T) bool {
	t.Helper()
	families, err := ctrlmetrics.Registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() == "registryhub_agent_passes_total" {
			return true
		}
	}
	return false
}

// TestRunAsksForThreeObjectsAndRestoresTheNodeWhenUninstalled is the whole agent: it wires, reports, and finds at its
// end that its DaemonSet is gone.
func TestRunAsksForThreeObjectsAndRestoresTheNodeWhenUninstalled(t *testing.T) {
	t.Parallel()
	server, api := newAPIServer(t)
	b := newBench(t)
	options := b.reconciler.options
	options.HealthAddress, options.MetricsAddress = "127.0.0.1:0", "127.0.0.1:0"
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- Run(ctx, api, options, logr.Discard()) }()
	<-server.reported
	if got := b.hosts(); !cmp.Equal(got, []string{"docker.io"}) {
		t.Errorf("wired %q", got)
	}
	if !tellsMetrics(t) {
		t.Error("the agent tells no metrics")
	}
	stop()
	if err := <-ended; err != nil {
		t.Errorf("Run: %v", err)
	}
	if tellsMetrics(t) {
		t.Error("the agent tells metrics after its end")
	}
	if got := b.hosts(); !cmp.Equal(got, []string{}) {
		t.Errorf("after the end: %q", got)
	}
	want := []string{
		"GET /api/v1/namespaces/registryhub-system/configmaps?fieldSelector=metadata.name%3Dregistryhub-node-configuration",
		"GET /api/v1/nodes?fieldSelector=metadata.name%3Dworker-1",
		"GET /apis/apps/v1/namespaces/registryhub-system/daemonsets/registryhub-node-agent",
		"GET /apis/registryhub.io/v1alpha1/nodemirrors?fieldSelector=metadata.name%3Dworker-1",
		"PATCH /apis/registryhub.io/v1alpha1/nodemirrors/worker-1/status",
	}
	var asked []string
	for what := range server.asked {
		asked = append(asked, what)
	}
	slices.Sort(asked)
	if diff := cmp.Diff(want, asked); diff != "" {
		t.Errorf("asked of the API server (-want +got):\n%s", diff)
	}
}
