package nodeagent

import (
	"context"
	"fmt"
	"maps"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
)

// known is the last that was heard and understood. What is missing now was not withdrawn by anybody, so it stays.
type known struct {
	// configuration that could be read last; nil before the first.
	configuration *configv1alpha1.NodeConfiguration
	// source is the text that the configuration was read from.
	source string
	// text that was looked at last, whether it could be read or not; nil before the first.
	text *string
	// node is the own node's labels; nil before they are known.
	node labels.Set
	// runtime is the node's container runtime with its version, as the kubelet says it; "" before that is known.
	runtime string
}

func (k *known) both() (*configv1alpha1.NodeConfiguration, labels.Set, bool) {
	return k.configuration, k.node, k.configuration != nil && k.node != nil
}

// same says whether two know the same.
func (k *known) same(other known) bool {
	return k.configuration == other.configuration && (k.node == nil) == (other.node == nil) &&
		maps.Equal(k.node, other.node) && k.runtime == other.runtime && k.nothingAsked() == other.nothingAsked()
}

// nothingAsked: there has never been a configuration, which is nothing to fail at.
func (k *known) nothingAsked() bool { return k.text == nil }

func (k *known) look(ctx context.Context, reader client.Reader, options Options) error {
	var configMap corev1.ConfigMap
	key := client.ObjectKey{Namespace: options.Namespace, Name: configv1alpha1.NodeConfigurationName}
	switch err := reader.Get(ctx, key, &configMap); {
	case err == nil:
		k.read(ctx, configMap.Data[configv1alpha1.NodeConfigurationKey])
	case !apierrors.IsNotFound(err):
		return err
	}
	node := &corev1.Node{}
	switch err := reader.Get(ctx, client.ObjectKey{Name: options.NodeName}, node); {
	case err == nil:
		k.node = labels.Merge(node.Labels, nil)
		k.hear(node.Status.NodeInfo.ContainerRuntimeVersion)
	case !apierrors.IsNotFound(err):
		return err
	}
	return nil
}

// hear takes a runtime's version. While the runtime does not answer the kubelet says that it is Unknown, which it still is not.
func (k *known) hear(version string) {
	if k.runtime == "" || !strings.HasSuffix(version, "://Unknown") {
		k.runtime = version
	}
}

// read takes a configuration that it understands. Any other leaves the old one in force, and is told of once.
func (k *known) read(ctx context.Context, text string) {
	if k.text != nil && *k.text == text {
		return
	}
	k.text = &text
	configuration, err := decode(text)
	if err != nil {
		log.FromContext(ctx).Error(err, "The NodeConfiguration cannot be used; the one before stays in force",
			"configMap", configv1alpha1.NodeConfigurationName, "key", configv1alpha1.NodeConfigurationKey)
		return
	}
	k.configuration, k.source = configuration, text
}

// decode refuses, beside what the API refuses, a text that does not say what it is, such as an empty one: it would
// read as a configuration without hubs, and withdraw them all.
func decode(text string) (*configv1alpha1.NodeConfiguration, error) {
	configuration, err := configv1alpha1.DecodeNodeConfiguration([]byte(text))
	if err == nil && configuration.Kind != configv1alpha1.KindNodeConfiguration {
		err = fmt.Errorf("reading the NodeConfiguration: it is empty or has no kind: want kind %q", configv1alpha1.KindNodeConfiguration)
	}
	return configuration, err
}
