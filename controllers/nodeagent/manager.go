package nodeagent

import (
	"net/http"

	"github.com/go-logr/logr"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/api/v1alpha1"
)

// newManager makes a manager that watches three objects and no more: with thousands of agents, each one more that an
// agent watches is paid for thousands of times.
func newManager(api *rest.Config, options Options, log logr.Logger) (manager.Manager, error) {
	scheme, err := newScheme()
	if err != nil {
		return nil, err
	}
	return manager.New(api, manager.Options{
		Scheme:                  scheme,
		Logger:                  log,
		MapperProvider:          newMapper,
		Cache:                   watched(options),
		Metrics:                 metricsserver.Options{BindAddress: options.metricsAddress()},
		HealthProbeBindAddress:  options.HealthAddress,
		GracefulShutdownTimeout: new(shutdownTimeout),
	})
}

func newScheme() (*runtime.Scheme, error) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{corev1.AddToScheme, appsv1.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			return nil, err
		}
	}
	return scheme, nil
}

// newMapper knows the agent's kinds by heart: no discovery, so that it starts without the API server and asks for
// nothing it need not.
func newMapper(*rest.Config, *http.Client) (meta.RESTMapper, error) {
	mapper := meta.NewDefaultRESTMapper(nil)
	mapper.Add(corev1.SchemeGroupVersion.WithKind("ConfigMap"), meta.RESTScopeNamespace)
	mapper.Add(corev1.SchemeGroupVersion.WithKind("Node"), meta.RESTScopeRoot)
	mapper.Add(corev1.SchemeGroupVersion.WithKind("Namespace"), meta.RESTScopeRoot)
	mapper.Add(appsv1.SchemeGroupVersion.WithKind("DaemonSet"), meta.RESTScopeNamespace)
	mapper.Add(v1alpha1.GroupVersion.WithKind("NodeMirror"), meta.RESTScopeRoot)
	return mapper, nil
}

// watched restricts the cache to the NodeConfiguration, what matters of the own Node and the own NodeMirror.
func watched(options Options) cache.Options {
	return cache.Options{
		ReaderFailOnMissingInformer: true,
		DefaultTransform:            cache.TransformStripManagedFields(),
		ByObject: map[client.Object]cache.ByObject{
			&corev1.ConfigMap{}: {
				Namespaces: map[string]cache.Config{options.Namespace: {}},
				Field:      named(configv1alpha1.NodeConfigurationName),
			},
			&corev1.Node{}:         {Field: named(options.NodeName), Transform: slimNode},
			&v1alpha1.NodeMirror{}: {Field: named(options.NodeName)},
		},
	}
}

func named(name string) fields.Selector { return fields.OneTermEqualSelector("metadata.name", name) }
