package nodes

import (
	"context"
	"fmt"
	"reflect"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/api/v1alpha1"
)

// Overview is what all hubs' reconciles have in common: the nodes, and what they are told. It is made once for all hubs, when
// what concerns them has added up for a while, and has those hubs looked at for which it makes a difference. If each hub
// looked at each node whenever one reports, every report would cost as much as there are hubs times nodes.
type Overview struct {
	// Client reads from the cache.
	Client client.Reader
	// Namespace of the operator.
	Namespace string
	Now       func() time.Time
	// Grace is how long a node that has just come is not counted.
	Grace time.Duration

	mu       sync.Mutex
	snapshot *Snapshot
	told     told
	hubs     map[types.UID]outlook
	queue    workqueue.TypedRateLimitingInterface[reconcile.Request]
}

// told is the NodeConfiguration of one version of its ConfigMap. With hundreds of hubs it takes as long to decode as all the
// rest of a hub's reconcile.
type told struct {
	uid           types.UID
	version       string
	configuration *configv1alpha1.NodeConfiguration
}

// outlook is what one hub takes of an overview.
type outlook struct {
	Entry     *configv1alpha1.NodeHub
	Figures   Figures
	Conflicts []Conflict
}

// Snapshot is every node as of the last overview, or of now if there was none. It must not be changed. What it lags behind
// is told of when the next overview is made.
func (o *Overview) Snapshot(ctx context.Context) (Snapshot, error) {
	o.mu.Lock()
	last := o.snapshot
	o.mu.Unlock()
	if last != nil {
		return *last, nil
	}
	return Observe(ctx, o.Client, o.Namespace)
}

// Configuration is what the nodes are told, from the cache; nil as in ReadConfiguration. It must not be changed.
func (o *Overview) Configuration(ctx context.Context) (*configv1alpha1.NodeConfiguration, error) {
	live := &corev1.ConfigMap{}
	err := o.Client.Get(ctx, client.ObjectKey{Namespace: o.Namespace, Name: configv1alpha1.NodeConfigurationName}, live)
	switch {
	case apierrors.IsNotFound(err):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("reading the node configuration: %w", err)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.told.uid != live.UID || o.told.version != live.ResourceVersion {
		o.told = told{uid: live.UID, version: live.ResourceVersion, configuration: decode(ctx, live)}
	}
	return o.told.configuration, nil
}

// Changes is a source of the hubs for which an overview makes a difference.
func (o *Overview) Changes() source.Source {
	return source.Func(func(_ context.Context, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.queue = queue
		return nil
	})
}

// make makes the overview anew, and says how many hubs and nodes there are.
func (o *Overview) make(ctx context.Context) (hubs, nodes int, err error) {
	list := &v1alpha1.RegistryHubList{}
	if err := o.Client.List(ctx, list, shared); err != nil {
		return 0, 0, fmt.Errorf("listing hubs: %w", err)
	}
	snapshot, err := Observe(ctx, o.Client, o.Namespace)
	if err != nil {
		return 0, 0, err
	}
	configuration, err := o.Configuration(ctx)
	if err != nil {
		return 0, 0, err
	}
	outlooks := o.outlooks(list.Items, snapshot, configuration)
	o.take(snapshot, list.Items, outlooks)
	return len(list.Items), len(snapshot.Nodes), nil
}

func (o *Overview) outlooks(hubs []v1alpha1.RegistryHub, snapshot Snapshot, configuration *configv1alpha1.NodeConfiguration) map[types.UID]outlook {
	now := o.Now()
	conflicts := Conflicts(InForce(hubs, configuration), snapshot.Nodes)
	outlooks := make(map[types.UID]outlook, len(hubs))
	for i := range hubs {
		hub := &hubs[i]
		entry := FindEntry(configuration, hub)
		counted := configv1alpha1.NodeHub{Name: hub.Name, Selector: hub.Spec.Nodes.Selector}
		if entry != nil {
			counted = *entry
		}
		outlooks[hub.UID] = outlook{Entry: entry, Figures: Count(snapshot, counted, now, o.Grace), Conflicts: conflicts[hub.Name]}
	}
	return outlooks
}

// take makes an overview the present one, and then tells. A hub that is being deleted waits for single nodes, which are in no
// figure, and is told of each.
func (o *Overview) take(snapshot Snapshot, hubs []v1alpha1.RegistryHub, outlooks map[types.UID]outlook) {
	o.mu.Lock()
	defer o.mu.Unlock()
	before := o.hubs
	o.snapshot, o.hubs = &snapshot, outlooks
	if o.queue == nil {
		return // the hubs' controller begins with every hub
	}
	for i := range hubs {
		hub := &hubs[i]
		was, known := before[hub.UID]
		if !known || !hub.DeletionTimestamp.IsZero() || !reflect.DeepEqual(was, outlooks[hub.UID]) {
			o.queue.Add(reconcile.Request{NamespacedName: types.NamespacedName{Name: hub.Name}})
		}
	}
}
