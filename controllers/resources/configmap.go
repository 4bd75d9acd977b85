package resources

import (
	corev1 "k8s.io/api/core/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"

	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/api/v1alpha1"
)

// ProxyConfigMap holds a hub's rendered ProxyConfiguration.
func ProxyConfigMap(hub *v1alpha1.RegistryHub, settings Settings, rendered []byte) *corev1ac.ConfigMapApplyConfiguration {
	return corev1ac.ConfigMap(ChildName(hub), settings.Namespace).
		WithLabels(hubLabels(hub)).
		WithData(map[string]string{proxyConfigKey: string(rendered)})
}

// ConfigHash names the ProxyConfiguration in a hub's ConfigMap; empty when it has none.
func ConfigHash(configMap *corev1.ConfigMap) string {
	rendered, found := configMap.Data[proxyConfigKey]
	if !found {
		return ""
	}
	return configv1alpha1.Hash([]byte(rendered))
}

// NodeConfigMap holds the rendered NodeConfiguration, the one thing that every agent watches.
func NodeConfigMap(settings Settings, rendered []byte) *corev1ac.ConfigMapApplyConfiguration {
	labels := map[string]string{labelName: valueName, labelComponent: componentNodeWiring}
	return corev1ac.ConfigMap(configv1alpha1.NodeConfigurationName, settings.Namespace).
		WithLabels(managed(labels)).
		WithData(map[string]string{configv1alpha1.NodeConfigurationKey: string(rendered)})
}
