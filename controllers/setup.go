// Package controllers sets the manager up: the one place that knows every reconciler.
package controllers

import (
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	ctrlmetrics "sigs.k8s.io/controller-runtime/pkg/metrics"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/go-logr/logr"

	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/api/v1alpha1"
	"github.com/registryhub/registryhub/controllers/certificates"
	"github.com/registryhub/registryhub/controllers/metrics"
	"github.com/registryhub/registryhub/controllers/nodes"
	"github.com/registryhub/registryhub/controllers/proxies"
	"github.com/registryhub/registryhub/controllers/registryhub"
	"github.com/registryhub/registryhub/controllers/remedies"
	"github.com/registryhub/registryhub/controllers/resources"
)

// Options are what a manager is told beside its configuration file.
type Options struct {
	// MetricsAddress serves /metrics; "0" for nowhere.
	MetricsAddress string
	// HealthAddress serves /healthz and /readyz; "0" for nowhere.
	HealthAddress string
	// LeaderElection lets one of several managers work at a time.
	LeaderElection bool
	Logger         logr.Logger
	// Now is the clock of all reconcilers. Default: time.Now.
	Now func() time.Time
}

// NewManager makes the manager with every reconciler in it.
func NewManager(cluster *rest.Config, configuration *configv1alpha1.OperatorConfiguration, options Options) (manager.Manager, error) {
	scheme := runtime.NewScheme()
	if err := clientgoscheme.AddToScheme(scheme); err != nil {
		return nil, fmt.Errorf("registering the kinds of Kubernetes: %w", err)
	}
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		return nil, fmt.Errorf("registering the project's kinds: %w", err)
	}
	cluster = rest.CopyConfig(cluster)
	cluster.QPS = -1 // the API server's priority and fairness says how fast is too fast, not a number in here
	mgr, err := ctrl.NewManager(cluster, manager.Options{
		Scheme: scheme,
		Logger: options.Logger,
		// Names are checked across the process. They are unique in here, where all of them are set up; one manager
		// after another in a process is no mistake.
		Controller: config.Controller{SkipNameValidation: new(true)},
		Cache:      cacheOptions(configuration.Namespace),
		// A Secret is read when it is needed: a cache would hold all of them, and need the right to list them.
		Client:                        client.Options{Cache: &client.CacheOptions{DisableFor: []client.Object{&corev1.Secret{}}}},
		Metrics:                       metricsserver.Options{BindAddress: options.MetricsAddress},
		HealthProbeBindAddress:        options.HealthAddress,
		LeaderElection:                options.LeaderElection,
		LeaderElectionID:              configv1alpha1.ManagerName,
		LeaderElectionNamespace:       configuration.Namespace,
		LeaderElectionReleaseOnCancel: true,
	})
	if err != nil {
		return nil, fmt.Errorf("making the manager: %w", err)
	}
	now := options.Now
	if now == nil {
		now = time.Now
	}
	return mgr, setup(mgr, configuration, now)
}

// cacheOptions keeps the cache to the operator's own namespace, and to what is read of Nodes, Pods and DaemonSets.
func cacheOptions(namespace string) cache.Options {
	return cache.Options{
		DefaultNamespaces: map[string]cache.Config{namespace: {}},
		ByObject: map[client.Object]cache.ByObject{
			&corev1.Node{}:         {Transform: nodes.Slim},
			&corev1.Pod{}:          {Transform: slimPod, Label: resources.WatchedPods()},
			&v1alpha1.NodeMirror{}: {Transform: nodes.Slim},
			// Everybody's: what hubs cannot do without must not be to be had through them alone.
			&appsv1.DaemonSet{}: {Namespaces: map[string]cache.Config{cache.AllNamespaces: {}}, Transform: nodes.SlimDaemonSet(namespace)},
		},
	}
}

// slimPod leaves of a Pod what the package reads that it is watched for.
func slimPod(object any) (any, error) {
	if pod, isPod := object.(*corev1.Pod); isPod && pod.Labels[v1alpha1.LabelHub] != "" {
		proxies.Slim(pod)
		return pod, nil
	}
	return nodes.Slim(object)
}

func setup(mgr manager.Manager, configuration *configv1alpha1.OperatorConfiguration, now func() time.Time) error {
	settings := resources.Settings{Namespace: configuration.Namespace, Image: configuration.Image, ImagePullSecrets: configuration.ImagePullSecrets}
	installation := nodes.NewInstallation(mgr.GetClient(), configuration.Namespace)
	reports := proxies.NewReports()
	told := metrics.NewManager(mgr.GetClient(), ctrlmetrics.Registry)
	if err := mgr.Add(told); err != nil {
		return fmt.Errorf("adding the manager's metrics: %w", err)
	}
	overview := &nodes.Overview{
		Client: mgr.GetClient(), Namespace: configuration.Namespace, Now: now, Grace: configuration.NodeGracePeriod.Duration,
	}
	reconcilers := []interface{ SetupWithManager(ctrl.Manager) error }{
		&registryhub.Reconciler{
			Client:          mgr.GetClient(),
			Live:            mgr.GetAPIReader(),
			Events:          mgr.GetEventRecorder("registryhub"),
			Now:             now,
			Reports:         reports,
			Overview:        overview,
			Settings:        settings,
			NodeGracePeriod: configuration.NodeGracePeriod.Duration,
			WithdrawTimeout: configuration.WithdrawTimeout.Duration,
			EndpointOverlap: configuration.EndpointOverlap.Duration,

			CertificateLifetime: configuration.Certificates.Lifetime.Duration,
			CertificateOverlap:  configuration.Certificates.Overlap.Duration,
		},
		&certificates.Reconciler{
			Client: mgr.GetClient(), Live: mgr.GetAPIReader(), Events: mgr.GetEventRecorder("registryhub"), Now: now,
			Installation: installation, Settings: settings, Certificates: configuration.Certificates, Metrics: told,
		},
		&proxies.Reconciler{Client: mgr.GetClient(), Proxies: proxies.NewClient(), Reports: reports, Now: now},
		&nodes.AgentReconciler{
			Client: mgr.GetClient(), Installation: installation, Settings: settings, Agent: configuration.NodeAgent,
		},
		&nodes.ConfigurationReconciler{
			Client: mgr.GetClient(), Live: mgr.GetAPIReader(), Installation: installation, Settings: settings, Now: now,
		},
		&nodes.MirrorReconciler{Client: mgr.GetClient()},
		&nodes.OverviewReconciler{Overview: overview},
	}
	if taint := configuration.StartupTaint; taint != nil {
		reconcilers = append(reconcilers, &nodes.TaintReconciler{
			Client: mgr.GetClient(), Live: mgr.GetAPIReader(), Events: mgr.GetEventRecorder("registryhub"),
			Now: now, Overview: overview, Timeout: taint.Timeout.Duration,
		})
	}
	if mode := configuration.Remedy; mode != configv1alpha1.RemedyModeReport {
		reconcilers = append(reconcilers, &remedies.Reconciler{
			Client: mgr.GetClient(), Live: mgr.GetAPIReader(), Events: mgr.GetEventRecorder("registryhub"), Now: now,
			Settings: settings, Mode: mode, CertsDirectory: configuration.NodeAgent.CertsDirectory,
		})
	}
	for _, reconciler := range reconcilers {
		if err := reconciler.SetupWithManager(mgr); err != nil {
			return fmt.Errorf("setting up %T: %w", reconciler, err)
		}
	}
	return addChecks(mgr)
}

func addChecks(mgr manager.Manager) error {
	if err := mgr.AddHealthzCheck("ping", healthz.Ping); err != nil {
		return fmt.Errorf("adding /healthz: %w", err)
	}
	if err := mgr.AddReadyzCheck("ping", healthz.Ping); err != nil {
		return fmt.Errorf("adding /readyz: %w", err)
	}
	return nil
}
