// Package simulation plays a large cluster to a manager that is a process of its own: a real API server with Nodes and hubs in
// it, and everybody who acts on them but the manager. There are no kubelets, proxies or agents; what they would say is said.
package simulation

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/registryhub/registryhub/api/v1alpha1"
	"github.com/registryhub/registryhub/hack/bench/contender"
	"github.com/registryhub/registryhub/hack/cluster/assets"
)

// patience bounds what is waited for.
const patience = 10 * time.Minute

// Size of a cluster.
type Size struct{ Hubs, Nodes int }

// Cluster that runs.
type Cluster struct {
	// Manager is the process that is measured.
	Manager *contender.Server

	// changed is the generation of the first hub that is waited for.
	changed int64
	size    Size
	place   contender.Place
	control *controlPlane
	proxies *proxies
	agents  *agents
	players manager.Manager
	end     context.CancelFunc
	ended   chan error
}

// Start makes a cluster with all its nodes and hubs, in which no manager runs yet. It must be stopped, when this fails too.
func Start(ctx context.Context, size Size, place contender.Place) (*Cluster, error) {
	c := &Cluster{size: size, place: place}
	provider, err := assets.Find(func(string, ...any) {})
	if err != nil {
		return c, err
	}
	folder, err := provider.Envtest(ctx)
	if err != nil {
		return c, err
	}
	if c.control, err = startControlPlane(ctx, folder, provider.Root, place.Directory); err != nil {
		return c, err
	}
	if err := c.startPlayers(ctx); err != nil {
		return c, err
	}
	if err := c.control.makeNodes(ctx, size.Nodes); err != nil {
		return c, err
	}
	return c, each(ctx, size.Hubs, func(ctx context.Context, i int) error { return c.control.client.Create(ctx, newHub(i)) })
}

func (c *Cluster) startPlayers(ctx context.Context) (err error) {
	c.players, err = ctrl.NewManager(c.control.config, manager.Options{
		Scheme: c.control.scheme, Controller: config.Controller{SkipNameValidation: new(true)}, // one cluster after another in a process is no mistake
		Metrics: metricsserver.Options{BindAddress: "0"},
		Cache:   cache.Options{DefaultNamespaces: map[string]cache.Config{namespace: {}}},
	})
	if err != nil {
		return fmt.Errorf("making the players: %w", err)
	}
	c.proxies = &proxies{client: c.players.GetClient(), servers: map[string]*http.Server{}}
	c.agents = &agents{client: c.players.GetClient(), nodes: c.size.Nodes}
	if err := errors.Join(c.proxies.setup(c.players), c.agents.setup(c.players)); err != nil {
		return fmt.Errorf("setting up the players: %w", err)
	}
	ctx, c.end = context.WithCancel(ctx)
	c.ended = make(chan error, 1)
	go func() { c.ended <- c.players.Start(ctx) }()
	return nil
}

// Stop ends all of it, the manager too.
func (c *Cluster) Stop() error {
	var errs []error
	if c.Manager != nil {
		errs = append(errs, c.Manager.Stop())
	}
	if c.end != nil {
		c.end()
		errs = append(errs, <-c.ended, c.proxies.close())
	}
	if c.control != nil {
		errs = append(errs, c.control.stop())
	}
	return errors.Join(errs...)
}

func hubName(i int) string { return fmt.Sprintf("hub-%03d", i) }

func newHub(i int) *v1alpha1.RegistryHub {
	return &v1alpha1.RegistryHub{
		ObjectMeta: metav1.ObjectMeta{Name: hubName(i)},
		Spec: v1alpha1.RegistryHubSpec{
			Hosts: []v1alpha1.RegistryHost{v1alpha1.RegistryHost(hubName(i) + ".example.com")}, Mode: v1alpha1.HubModeMirror, Mirror: &v1alpha1.MirrorSpec{},
			Storage: v1alpha1.StorageSpec{
				Type:                  v1alpha1.StoragePersistentVolumeClaim,
				PersistentVolumeClaim: &v1alpha1.PersistentVolumeClaimStorage{Size: resource.MustParse("10Gi")},
			},
		},
	}
}

// await waits until every hub is Ready, and every node counts as wired for each.
func (c *Cluster) await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		lagging, err := c.lagging(ctx)
		if err == nil && lagging == "" {
			return nil
		}
		if err := c.Manager.Ended(); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for hubs: %s (%w)", lagging, errors.Join(err, context.Cause(ctx)))
		case <-tick.C:
		}
	}
}

// lagging describes a hub that is not what it should be; empty for none.
func (c *Cluster) lagging(ctx context.Context) (string, error) {
	hubs := &v1alpha1.RegistryHubList{}
	if err := c.players.GetClient().List(ctx, hubs, client.UnsafeDisableDeepCopy); err != nil {
		return "", fmt.Errorf("listing hubs: %w", err)
	}
	all := fmt.Sprintf("%d/%d", c.size.Nodes, c.size.Nodes)
	for i := range hubs.Items {
		hub := &hubs.Items[i]
		ready := meta.FindStatusCondition(hub.Status.Conditions, v1alpha1.ConditionReady)
		if ready == nil || ready.Status != metav1.ConditionTrue || ready.ObservedGeneration != hub.Generation {
			return fmt.Sprintf("%s is %+v", hub.Name, ready), nil
		}
		if hub.Name == hubName(0) && hub.Generation < c.changed {
			return hub.Name + " was not heard of yet", nil
		}
		if nodes := hub.Status.Nodes; nodes == nil || nodes.Summary != all {
			return fmt.Sprintf("%s has nodes %+v, not %s", hub.Name, nodes, all), nil
		}
	}
	if len(hubs.Items) != c.size.Hubs {
		return fmt.Sprintf("%d hubs of %d", len(hubs.Items), c.size.Hubs), nil
	}
	return "", nil
}

// readiness of the Ready condition, by turns.
func readiness(ready bool) corev1.ConditionStatus {
	if ready {
		return corev1.ConditionTrue
	}
	return corev1.ConditionFalse
}
