package proxies

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
)

// Report is what is known of one proxy's Pod that is Ready.
type Report struct {
	// ProxyReport is the Pod's last answer; zero while there was none. An asking that comes to nothing takes nothing
	// away: a Pod that is Ready does not forget its configuration.
	configv1alpha1.ProxyReport
	// AskedFor is the hash of the configuration that was wanted when the Pod answered last; empty when it has not answered
	// since another one is wanted.
	AskedFor string
	// Problem says why the last asking came to nothing; empty when it did not.
	Problem string
}

// ServesWith says whether the Pod serves with the wanted configuration. It was asked since that is wanted: what it said
// before may be of a time when another one was on its way.
func (r Report) ServesWith(wanted string) bool { return r.InForce == wanted && r.AskedFor == wanted }

// Refuses says whether the Pod has seen the wanted configuration and did not take it into force, or cannot read its file.
func (r Report) Refuses(wanted string) bool {
	return r.Refused != nil && r.InForce != wanted && r.AskedFor == wanted && (r.Refused.Hash == wanted || r.Refused.Hash == "")
}

// Reports are those of all Pods that are Ready. It lives in memory: a manager that starts knows nothing, and asks.
type Reports struct {
	mu    sync.Mutex
	known map[types.NamespacedName]known
	// shown are the figures that each hub's status has.
	shown map[string]Figures
	queue workqueue.TypedRateLimitingInterface[reconcile.Request]
}

type known struct {
	Report
	pod types.UID
	hub string
	// wanted is what the Pod is asked for, and since when.
	wanted string
	since  time.Time
	doubts doubts
}

// NewReports returns what is known at the beginning, which is nothing.
func NewReports() *Reports {
	return &Reports{known: map[types.NamespacedName]known{}, shown: map[string]Figures{}}
}

// Of are the reports of a hub's Pods, sorted by the Pods' names.
func (r *Reports) Of(hub string) []Report {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.of(hub)
}

func (r *Reports) of(hub string) []Report {
	var names []types.NamespacedName
	for name, k := range r.known {
		if k.hub == hub {
			names = append(names, name)
		}
	}
	slices.SortFunc(names, func(a, b types.NamespacedName) int { return cmp.Compare(a.Name, b.Name) })
	reports := make([]Report, 0, len(names))
	for _, name := range names {
		reports = append(reports, r.known[name].Report)
	}
	return reports
}

// Changes is a source of the hubs of which something new is known.
func (r *Reports) Changes() source.Source {
	return source.Func(func(_ context.Context, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.queue = queue
		return nil
	})
}

func (r *Reports) get(pod types.NamespacedName) known {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.known[pod]
}

func (r *Reports) put(pod types.NamespacedName, now known) {
	r.mu.Lock()
	defer r.mu.Unlock()
	before, was := r.known[pod]
	r.known[pod] = now
	if !was || before.pod != now.pod || !sameButFigures(before.Report, now.Report) || Moved(r.shown[now.hub], FiguresOf(r.of(now.hub))) {
		r.tell(now.hub)
	}
}

// sameButFigures compares what matters however little it changes.
func sameButFigures(a, b Report) bool {
	a.Figures, b.Figures = nil, nil
	return equality.Semantic.DeepEqual(a, b)
}

// Show says which figures a hub's status has. The hub is looked at again when they have moved.
func (r *Reports) Show(hub string, figures Figures) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.of(hub)) > 0 {
		r.shown[hub] = figures
	}
}

func (r *Reports) remove(pod types.NamespacedName) {
	r.mu.Lock()
	defer r.mu.Unlock()
	before, was := r.known[pod]
	if !was {
		return
	}
	delete(r.known, pod)
	if len(r.of(before.hub)) == 0 {
		delete(r.shown, before.hub)
	}
	r.tell(before.hub)
}

// tell has the hub looked at. Before the hubs' controller starts nobody need be told: it begins with every hub.
func (r *Reports) tell(hub string) {
	if r.queue != nil {
		r.queue.Add(reconcile.Request{NamespacedName: types.NamespacedName{Name: hub}})
	}
}
