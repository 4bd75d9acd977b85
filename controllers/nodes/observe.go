package nodes

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/api/v1alpha1"
	"github.com/registryhub/registryhub/controllers/resources"
)

// shared reads from the cache without copying: what is read so is never written to.
const shared = client.UnsafeDisableDeepCopy

// Observe reads every Linux node, the agent's Pod on it and what it reported, from the cache.
func Observe(ctx context.Context, reader client.Reader, namespace string) (Snapshot, error) {
	list := &corev1.NodeList{}
	if err := reader.List(ctx, list, shared); err != nil {
		return Snapshot{}, fmt.Errorf("listing nodes: %w", err)
	}
	agents, err := agentsByNode(ctx, reader, namespace)
	if err != nil {
		return Snapshot{}, err
	}
	mirrors, err := mirrorsByNode(ctx, reader)
	if err != nil {
		return Snapshot{}, err
	}
	since, err := daemonSetSince(ctx, reader, namespace)
	return Snapshot{Nodes: join(list.Items, agents, mirrors), AgentsSince: since}, err
}

func join(nodes []corev1.Node, agents map[string]time.Time, mirrors map[string]v1alpha1.NodeMirrorStatus) []Node {
	joined := make([]Node, 0, len(nodes))
	for i := range nodes {
		if !isLinux(&nodes[i]) {
			continue
		}
		node := newNode(&nodes[i])
		node.AgentSince = agents[node.Name]
		node.take(mirrors[node.Name])
		joined = append(joined, node)
	}
	slices.SortFunc(joined, func(a, b Node) int { return strings.Compare(a.Name, b.Name) })
	return joined
}

// agentsByNode is when the newest agent Pod of each node was made.
func agentsByNode(ctx context.Context, reader client.Reader, namespace string) (map[string]time.Time, error) {
	pods := &corev1.PodList{}
	err := reader.List(ctx, pods, client.InNamespace(namespace), client.MatchingLabels(resources.AgentPodLabels()), shared)
	if err != nil {
		return nil, fmt.Errorf("listing the agents' Pods: %w", err)
	}
	since := make(map[string]time.Time, len(pods.Items))
	for i := range pods.Items {
		node, created := pods.Items[i].Spec.NodeName, pods.Items[i].CreationTimestamp.Time
		if created.After(since[node]) {
			since[node] = created
		}
	}
	return since, nil
}

func mirrorsByNode(ctx context.Context, reader client.Reader) (map[string]v1alpha1.NodeMirrorStatus, error) {
	list := &v1alpha1.NodeMirrorList{}
	if err := reader.List(ctx, list, shared); err != nil {
		return nil, fmt.Errorf("listing NodeMirrors: %w", err)
	}
	mirrors := make(map[string]v1alpha1.NodeMirrorStatus, len(list.Items))
	for i := range list.Items {
		mirrors[list.Items[i].Name] = list.Items[i].Status
	}
	return mirrors, nil
}

func daemonSetSince(ctx context.Context, reader client.Reader, namespace string) (time.Time, error) {
	daemonSet := &appsv1.DaemonSet{}
	err := reader.Get(ctx, client.ObjectKey{Namespace: namespace, Name: configv1alpha1.NodeAgentName}, daemonSet)
	if client.IgnoreNotFound(err) != nil {
		return time.Time{}, fmt.Errorf("reading the agents' DaemonSet: %w", err)
	}
	return daemonSet.CreationTimestamp.Time, nil
}
