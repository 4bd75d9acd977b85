package simulation

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
)

const (
	// atOnce is how many requests a player has under way.
	atOnce = 32
	// imagesOfNode is how many a kubelet lists (its nodeStatusMaxImages), which is most of what a Node weighs.
	imagesOfNode = 50
	// heartbeat is how often a kubelet whose node does not change updates its Node (its nodeStatusReportFrequency).
	heartbeat = 5 * time.Minute
)

func nodeName(i int) string { return fmt.Sprintf("node-%04d", i) }

// makeNodes makes Nodes that have been Ready for an hour, with an agent's Pod on each, as kubelets and the DaemonSet's
// controller do.
func (c *controlPlane) makeNodes(ctx context.Context, count int) error {
	return each(ctx, count, func(ctx context.Context, i int) error {
		if err := c.client.Create(ctx, newNode(i)); err != nil {
			return fmt.Errorf("making a Node: %w", err)
		}
		if err := c.client.Create(ctx, newAgent(i)); err != nil {
			return fmt.Errorf("making an agent's Pod: %w", err)
		}
		return nil
	})
}

// each calls for all of count, some at a time.
func each(ctx context.Context, count int, do func(ctx context.Context, i int) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	for i := range count {
		group.Go(func() error { return do(ctx, i) })
	}
	return group.Wait()
}

func newNode(i int) *corev1.Node {
	name := nodeName(i)
	since := metav1.NewTime(time.Now().Add(-time.Hour))
	node := &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{
			corev1.LabelOSStable: "linux", corev1.LabelArchStable: "amd64", corev1.LabelHostname: name,
			corev1.LabelTopologyZone: fmt.Sprintf("zone-%d", i%3), corev1.LabelInstanceTypeStable: "large",
		}},
		Status: corev1.NodeStatus{
			Capacity: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("16"), corev1.ResourceMemory: resource.MustParse("64Gi")},
			NodeInfo: corev1.NodeSystemInfo{ContainerRuntimeVersion: "containerd://2.4.2", KubeletVersion: "v1.36.3", OperatingSystem: "linux"},
		},
	}
	for _, kind := range []corev1.NodeConditionType{corev1.NodeMemoryPressure, corev1.NodeDiskPressure, corev1.NodePIDPressure} {
		node.Status.Conditions = append(node.Status.Conditions, corev1.NodeCondition{
			Type: kind, Status: corev1.ConditionFalse, Reason: "KubeletHasNoPressure", LastHeartbeatTime: since, LastTransitionTime: since,
		})
	}
	node.Status.Conditions = append(node.Status.Conditions, corev1.NodeCondition{
		Type: corev1.NodeReady, Status: corev1.ConditionTrue, Reason: "KubeletReady", LastHeartbeatTime: since, LastTransitionTime: since,
	})
	for image := range imagesOfNode {
		repository := fmt.Sprintf("registry.example.com/team-%d/service-%d", i%20, image)
		node.Status.Images = append(node.Status.Images, corev1.ContainerImage{SizeBytes: 100 << 20, Names: []string{
			repository + "@sha256:" + configv1alpha1.Hash([]byte(repository)), repository + ":v1",
		}})
	}
	return node
}

func newAgent(i int) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace, Name: configv1alpha1.NodeAgentName + "-" + nodeName(i), GenerateName: configv1alpha1.NodeAgentName + "-",
			Labels: map[string]string{"app.kubernetes.io/name": "registryhub", "app.kubernetes.io/component": "node-agent", "controller-revision-hash": "5d8f"},
		},
		Spec: corev1.PodSpec{
			NodeName: nodeName(i), HostNetwork: true, Tolerations: []corev1.Toleration{{Operator: corev1.TolerationOpExists}},
			Containers: []corev1.Container{{
				Name: "node-agent", Image: "registry.example.com/registryhub:bench", Args: []string{"node-agent", "--node-name=$(NODE_NAME)"},
				Env: []corev1.EnvVar{{Name: "NODE_NAME", ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: "spec.nodeName"}}}},
			}},
		},
	}
}

// setReady plays a kubelet, or the controller that misses it.
func (c *controlPlane) setReady(ctx context.Context, i int, ready corev1.ConditionStatus) error {
	now := time.Now().UTC().Format(time.RFC3339)
	return c.patchNode(ctx, i, fmt.Sprintf(`{"type":"Ready","status":%q,"lastHeartbeatTime":%q,"lastTransitionTime":%q}`, ready, now, now))
}

// beat is a kubelet's heartbeat.
func (c *controlPlane) beat(ctx context.Context, i int) error {
	now := time.Now().UTC().Format(time.RFC3339)
	return c.patchNode(ctx, i, fmt.Sprintf(`{"type":"DiskPressure","lastHeartbeatTime":%q}`, now))
}

func (c *controlPlane) patchNode(ctx context.Context, i int, condition string) error {
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: nodeName(i)}}
	patch := fmt.Appendf(nil, `{"status":{"conditions":[%s]}}`, condition)
	if err := c.client.Status().Patch(ctx, node, client.RawPatch(types.StrategicMergePatchType, patch)); err != nil {
		return fmt.Errorf("changing Node %s: %w", node.Name, err)
	}
	return nil
}

// heartbeats plays all kubelets while nothing happens.
func (c *controlPlane) heartbeats(ctx context.Context, count int) error {
	return c.paced(ctx, heartbeat/time.Duration(count), func(turn int) error { return c.beat(ctx, turn%count) })
}

// paced calls at a pace, until the context ends, which is no error.
func (*controlPlane) paced(ctx context.Context, pace time.Duration, do func(turn int) error) error {
	tick := time.NewTicker(pace)
	defer tick.Stop()
	for turn := 0; ; turn++ {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if err := do(turn); err != nil && ctx.Err() == nil {
			return err
		}
	}
}
