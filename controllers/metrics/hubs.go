package metrics

import (
	"context"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/registryhub/registryhub/api/v1alpha1"
)

// listTimeout bounds a scrape's reading of the cache, which waits while the cache is being filled.
const listTimeout = 2 * time.Second

var (
	leader = prometheus.NewDesc("registryhub_manager_leader",
		"1 from the manager that works. One that stands by, or cannot read its cache, has no such series, and none of hubs.", nil, nil)
	condition = prometheus.NewDesc("registryhub_hub_condition",
		"Conditions of hubs by type and reason: 1 for True, 0 for False, -1 for Unknown.", []string{"hub", "type", "reason"}, nil)
	desired = prometheus.NewDesc("registryhub_hub_nodes_desired", "Nodes that should pull through the hub, as in its status.", []string{"hub"}, nil)
	wired   = prometheus.NewDesc("registryhub_hub_nodes_wired", "Nodes of those desired that do, as in its status.", []string{"hub"}, nil)
	failing = prometheus.NewDesc("registryhub_hub_node_exceptions",
		"Hosts of the hub that nodes report not to have wired, by reason (those of a NodeMirror; Other). A host counts once for each node.",
		[]string{"hub", "reason"}, nil)
)

// hubs collects what the cache has of hubs when it is asked, so that nothing is left behind of a hub that is gone.
type hubs struct{ reader client.Reader }

// Describe implements prometheus.Collector.
func (hubs) Describe(to chan<- *prometheus.Desc) {
	for _, desc := range []*prometheus.Desc{leader, condition, desired, wired, failing} {
		to <- desc
	}
}

// Collect implements prometheus.Collector. While the cache cannot be read there is nothing to tell, which the absence of
// the leader shows.
func (h hubs) Collect(to chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), listTimeout)
	defer cancel()
	list, mirrors := &v1alpha1.RegistryHubList{}, &v1alpha1.NodeMirrorList{}
	if h.reader.List(ctx, list, client.UnsafeDisableDeepCopy) != nil || h.reader.List(ctx, mirrors, client.UnsafeDisableDeepCopy) != nil {
		return
	}
	to <- gauge(leader, 1)
	exceptions := map[string]map[string]int{}
	for i := range list.Items {
		hub := &list.Items[i]
		exceptions[hub.Name] = map[string]int{}
		tellOf(hub, to)
	}
	count(mirrors.Items, exceptions)
	for hub, reasons := range exceptions {
		for reason, n := range reasons {
			to <- gauge(failing, float64(n), hub, reason)
		}
	}
}

func tellOf(hub *v1alpha1.RegistryHub, to chan<- prometheus.Metric) {
	for _, c := range hub.Status.Conditions {
		if slices.Contains(conditionTypes, c.Type) { // anybody may add others
			to <- gauge(condition, valueOf(c.Status), hub.Name, c.Type, c.Reason)
		}
	}
	if figures := hub.Status.Nodes; figures != nil {
		to <- gauge(desired, float64(figures.Desired), hub.Name)
		to <- gauge(wired, float64(figures.Wired), hub.Name)
	}
}

// count adds the exceptions of the hubs there are. What a node says is not believed to be a hub or a reason: it may be of a
// hub that is gone, and a node must not be able to make series.
func count(mirrors []v1alpha1.NodeMirror, exceptions map[string]map[string]int) {
	for i := range mirrors {
		for _, exception := range mirrors[i].Status.Exceptions {
			reasons, known := exceptions[exception.Hub]
			if !known {
				continue
			}
			reason := exception.Reason
			if !slices.Contains(nodeReasons, reason) {
				reason = "Other"
			}
			reasons[reason]++
		}
	}
}

func valueOf(status metav1.ConditionStatus) float64 {
	switch status {
	case metav1.ConditionTrue:
		return 1
	case metav1.ConditionFalse:
		return 0
	default:
		return -1
	}
}

func gauge(desc *prometheus.Desc, value float64, labels ...string) prometheus.Metric {
	return prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, labels...)
}
