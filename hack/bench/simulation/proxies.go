package simulation

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/api/v1alpha1"
)

// concurrently is how many objects a player looks after at a time.
var concurrently = controller.Options{MaxConcurrentReconciles: atOnce}

// proxies play the controllers of Deployments and volumes, and the proxies: each Deployment is available at once, with a
// Pod that has its ConfigMap in force as soon as it changes.
type proxies struct {
	client client.Client

	mu      sync.Mutex
	servers map[string]*http.Server // by hub
}

func (p *proxies) setup(mgr ctrl.Manager) error {
	err := ctrl.NewControllerManagedBy(mgr).Named("volumes").For(&corev1.PersistentVolumeClaim{}).WithOptions(concurrently).
		Complete(reconcile.Func(p.bind))
	if err != nil {
		return err
	}
	return ctrl.NewControllerManagedBy(mgr).Named("deployments").For(&appsv1.Deployment{}).WithOptions(concurrently).Complete(p)
}

func (p *proxies) bind(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	claim := &corev1.PersistentVolumeClaim{}
	if err := p.client.Get(ctx, request.NamespacedName, claim); err != nil || claim.Status.Phase == corev1.ClaimBound {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	claim.Status = corev1.PersistentVolumeClaimStatus{Phase: corev1.ClaimBound, Capacity: claim.Spec.Resources.Requests}
	return again(p.client.Status().Update(ctx, claim))
}

// Reconcile makes a Deployment available.
func (p *proxies) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	deployment := &appsv1.Deployment{}
	err := p.client.Get(ctx, request.NamespacedName, deployment)
	if err != nil || deployment.Status.ObservedGeneration == deployment.Generation {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	if err := p.serve(ctx, deployment); err != nil {
		return again(err)
	}
	now := metav1.Now()
	deployment.Status = appsv1.DeploymentStatus{
		ObservedGeneration: deployment.Generation, Replicas: 1, UpdatedReplicas: 1, ReadyReplicas: 1, AvailableReplicas: 1,
		Conditions: []appsv1.DeploymentCondition{{
			Type: appsv1.DeploymentProgressing, Status: corev1.ConditionTrue, Reason: "NewReplicaSetAvailable", LastUpdateTime: now, LastTransitionTime: now,
		}},
	}
	return again(p.client.Status().Update(ctx, deployment))
}

// again has what somebody else has changed meanwhile tried again soon.
func again(err error) (reconcile.Result, error) {
	if apierrors.IsConflict(err) {
		return reconcile.Result{RequeueAfter: 50 * time.Millisecond}, nil
	}
	return reconcile.Result{}, err
}

// serve starts a hub's proxy, and makes its Pod, unless they are there.
func (p *proxies) serve(ctx context.Context, deployment *appsv1.Deployment) error {
	hub := deployment.Labels[v1alpha1.LabelHub]
	p.mu.Lock()
	defer p.mu.Unlock()
	if hub == "" || p.servers[hub] != nil {
		return nil
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listening as the proxy of hub %s: %w", hub, err)
	}
	server := &http.Server{Handler: p.proxyOf(deployment), ReadHeaderTimeout: time.Minute}
	go func() { _ = server.Serve(listener) }() // until it is closed
	p.servers[hub] = server
	return p.makePod(ctx, deployment, netip.MustParseAddrPort(listener.Addr().String()))
}

func (p *proxies) makePod(ctx context.Context, deployment *appsv1.Deployment, at netip.AddrPort) error {
	template := deployment.Spec.Template.DeepCopy()
	pod := &corev1.Pod{ObjectMeta: template.ObjectMeta, Spec: template.Spec}
	pod.Namespace, pod.Name = namespace, deployment.Name+"-0"
	for i := range pod.Spec.Containers[0].Ports {
		if port := &pod.Spec.Containers[0].Ports[i]; port.Name == "diagnostics" {
			port.ContainerPort = int32(at.Port())
		}
	}
	pod.Spec.PriorityClassName, pod.Spec.Priority = "", nil
	if err := p.client.Create(ctx, pod); err != nil {
		return fmt.Errorf("making a proxy's Pod: %w", err)
	}
	pod.Status = corev1.PodStatus{
		Phase: corev1.PodRunning, PodIP: at.Addr().String(), PodIPs: []corev1.PodIP{{IP: at.Addr().String()}},
		Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}},
	}
	if err := p.client.Status().Update(ctx, pod); err != nil {
		return fmt.Errorf("starting a proxy's Pod: %w", err)
	}
	return nil
}

// proxyOf answers the manager as a hub's proxy does.
func (p *proxies) proxyOf(deployment *appsv1.Deployment) http.Handler {
	key := client.ObjectKeyFromObject(deployment) // the ConfigMap has the same name
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		configMap := &corev1.ConfigMap{}
		if err := p.client.Get(r.Context(), key, configMap); err != nil || r.URL.Path != configv1alpha1.ReportPath {
			http.Error(w, "not here", http.StatusNotFound)
			return
		}
		_ = json.NewEncoder(w).Encode(configv1alpha1.ProxyReport{InForce: configv1alpha1.Hash([]byte(configMap.Data["config.yaml"]))})
	})
}

func (p *proxies) close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	var errs []error
	for _, server := range p.servers {
		errs = append(errs, server.Close())
	}
	return errors.Join(errs...)
}
