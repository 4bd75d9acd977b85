package nodeagent

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/go-logr/logr/funcr"
	"go.uber.org/goleak"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/api/v1alpha1"
	"github.com/registryhub/registryhub/controllers/nodeagent/certsd"
	"github.com/registryhub/registryhub/controllers/nodeagent/probe"
)

const (
	nodeName  = "worker-1"
	namespace = "registryhub-system"
)

func TestMain(m *testing.M) {
	log.SetLogger(logr.Discard())
	// A watch that is stopped while it holds an event leaves this goroutine behind: apimachinery's watch.Filter, in
	// controller-runtime's cache, has no way to end it.
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("k8s.io/apimachinery/pkg/watch.(*filteredWatch).loop"))
}

// bench is an agent over a fake API server and real folders.
type bench struct {
	t          *testing.T
	api        client.Client
	certs      string
	run        string
	reconciler *reconciler
	keeper     *keeper
	// hubs answer, unless it is said otherwise.
	hubs *hubStates
	// patches are the writes to the API server that were tried; patchErr fails them.
	patches  int
	patchErr error
	logged   []string
}

func newBench(t *testing.T, objects ...client.Object) *bench {
	t.Helper()
	scheme, err := newScheme()
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{t: t, certs: filepath.Join(t.TempDir(), "certs.d"), run: filepath.Join(t.TempDir(), "run"), hubs: newHubStates()}
	b.api = fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).WithStatusSubresource(&v1alpha1.NodeMirror{}).Build()
	agents := interceptor.NewClient(b.api.(client.WithWatch), b.onlyWhatTheAgentMay())
	options := Options{NodeName: nodeName, Namespace: namespace, CertsDirectory: b.certs, RunDirectory: b.run, ClientCertificateDirectory: t.TempDir()}
	b.keeper = newKeeper(certsd.New(b.certs, b.run), newNodeTLS(options, b.logger()), b.hubs, newMemory(options), b.logger())
	b.reconciler = &reconciler{client: agents, options: options, keeper: b.keeper}
	return b
}

// restart is another agent on the same node, with what the first one left there.
func (b *bench) restart() {
	b.t.Helper()
	b.hubs = newHubStates()
	b.keeper = newKeeper(certsd.New(b.certs, b.run), newNodeTLS(b.reconciler.options, b.logger()), b.hubs, newMemory(b.reconciler.options), b.logger())
	b.reconciler = &reconciler{client: b.reconciler.client, options: b.reconciler.options, keeper: b.keeper}
	b.reconciler.known = b.keeper.remember()
}

// hubStates says of each hub what it is told to, by the hub's name.
type hubStates struct {
	otherwise map[string]probe.Health
	followed  []probe.Target
	changed   chan struct{}
}

func newHubStates() *hubStates {
	return &hubStates{otherwise: map[string]probe.Health{}, changed: make(chan struct{})}
}

func (h *hubStates) Run(ctx context.Context) { <-ctx.Done() }

func (h *hubStates) Follow(targets []probe.Target, _ time.Duration) { h.followed = targets }

func (h *hubStates) Changed() <-chan struct{} { return h.changed }

func (h *hubStates) Health() map[probe.Target]probe.Health {
	all := map[probe.Target]probe.Health{}
	for _, target := range h.followed {
		one, told := h.otherwise[target.Hub]
		if !told {
			one = probe.Health{State: probe.Alive, Seen: true}
		}
		all[target] = one
	}
	return all
}

var errNotAllowed = errors.New("the agent may not do this")

// onlyWhatTheAgentMay counts the one write that the agent's role has, and refuses the others.
func (b *bench) onlyWhatTheAgentMay() interceptor.Funcs {
	return interceptor.Funcs{
		SubResourcePatch: func(ctx context.Context, c client.Client, sub string, o client.Object, p client.Patch, opts ...client.SubResourcePatchOption) error {
			b.patches++
			if b.patchErr != nil {
				return b.patchErr
			}
			return c.SubResource(sub).Patch(ctx, o, p, opts...)
		},
		Create: func(context.Context, client.WithWatch, client.Object, ...client.CreateOption) error {
			return errNotAllowed
		},
		Update: func(context.Context, client.WithWatch, client.Object, ...client.UpdateOption) error {
			return errNotAllowed
		},
		Delete: func(context.Context, client.WithWatch, client.Object, ...client.DeleteOption) error {
			return errNotAllowed
		},
		Patch: func(context.Context, client.WithWatch, client.Object, client.Patch, ...client.PatchOption) error {
			return errNotAllowed
		},
		SubResourceUpdate: func(context.Context, client.Client, string, client.Object, ...client.SubResourceUpdateOption) error {
			return errNotAllowed
		},
	}
}

func (b *bench) logger() logr.Logger {
	return funcr.New(func(_, line string) { b.logged = append(b.logged, line) }, funcr.Options{})
}

func (b *bench) reconcile() error {
	b.t.Helper()
	result, err := b.reconciler.Reconcile(log.IntoContext(b.t.Context(), b.logger()), reconcile.Request{})
	if result != (reconcile.Result{}) {
		b.t.Errorf("a result: %+v, though the keeper says when", result)
	}
	return err
}

// pass is what one change leads to: it is heard, brought about, and reported.
func (b *bench) pass() error {
	b.t.Helper()
	heard := b.reconcile()
	b.keeper.pass()
	reported := b.reconcile()
	var failed error
	if o := b.keeper.outcome(); o != nil {
		failed = o.err
	}
	return errors.Join(heard, reported, failed)
}

func (b *bench) mustPass() {
	b.t.Helper()
	if err := b.pass(); err != nil {
		b.t.Fatalf("a pass: %v", err)
	}
}

func (b *bench) status() v1alpha1.NodeMirrorStatus {
	b.t.Helper()
	var mirror v1alpha1.NodeMirror
	if err := b.api.Get(b.t.Context(), client.ObjectKey{Name: nodeName}, &mirror); err != nil {
		b.t.Fatal(err)
	}
	return mirror.Status
}

// hosts are the names in the certs directory.
func (b *bench) hosts() []string {
	b.t.Helper()
	listed, err := os.ReadDir(b.certs)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		b.t.Fatal(err)
	}
	names := []string{}
	for _, found := range listed {
		names = append(names, found.Name())
	}
	return names
}

func (b *bench) configure(c configv1alpha1.NodeConfiguration) {
	b.t.Helper()
	b.update(configMap(b.t, c))
}

func (b *bench) update(object client.Object) {
	b.t.Helper()
	if err := b.api.Update(b.t.Context(), object); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) delete(object client.Object) {
	b.t.Helper()
	if err := b.api.Delete(b.t.Context(), object); err != nil {
		b.t.Fatal(err)
	}
}

func configMap(t *testing.T, c configv1alpha1.NodeConfiguration) *corev1.ConfigMap {
	t.Helper()
	text, err := configv1alpha1.Encode(&c)
	if err != nil {
		t.Fatal(err)
	}
	return textMap(string(text))
}

func textMap(text string) *corev1.ConfigMap {
	return &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: configv1alpha1.NodeConfigurationName},
		Data:       map[string]string{configv1alpha1.NodeConfigurationKey: text},
	}
}

func ownNode(labels map[string]string) *corev1.Node {
	return &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: nodeName, Labels: labels}}
}

func ownMirror() *v1alpha1.NodeMirror {
	return &v1alpha1.NodeMirror{ObjectMeta: metav1.ObjectMeta{Name: nodeName}}
}

func configuration(revision int64, hubs ...configv1alpha1.NodeHub) configv1alpha1.NodeConfiguration {
	return configv1alpha1.NodeConfiguration{Revision: revision, Hubs: hubs}
}

func hub(name string, hosts ...string) configv1alpha1.NodeHub {
	return configv1alpha1.NodeHub{
		Name: name, UID: "uid-" + name, Revision: 3, Hosts: hosts, Endpoint: "http://10.96.31.7:5000",
		DialTimeout: &metav1.Duration{Duration: time.Second},
	}
}

func onNodes(hub configv1alpha1.NodeHub, labels map[string]string) configv1alpha1.NodeHub {
	hub.Selector = &metav1.LabelSelector{MatchLabels: labels}
	return hub
}
