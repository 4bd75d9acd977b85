package upgrade

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/registryhub/registryhub/api/v1alpha1"
	"github.com/registryhub/registryhub/hack/testbed"
)

// patience is how long a condition may take on a slow machine.
const patience = 4 * time.Minute

func TestAnUpgradeFailsNoPullAndReplacesAHubsPodOnce(t *testing.T) {
	if err := bed.InstallOperatorOf(t.Context(), earlierTree(t), earlierImage, filepath.Join("bin", "earlier")); err != nil {
		t.Fatal(err)
	}
	applyHub(t)
	awaitHub(t, earlierImage)
	stop := keepPulling(t)
	await(t, "pulls through the hub as it was", servesBlobs)

	began := time.Now()
	if err := bed.InstallOperator(t.Context()); err != nil {
		t.Fatalf("%v\n%s", err, scene(t))
	}
	awaitHub(t, testbed.Image)
	t.Logf("from make image to the hub being Ready with the new one: %s", time.Since(began).Round(time.Second))
	await(t, "pulls through the hub as it is", servesBlobs)

	for _, node := range stop() {
		t.Log(node)
		if err := errors.Join(node.failures...); err != nil || len(node.took) == 0 {
			t.Errorf("%s pulled %d times meanwhile: %v", node.node, len(node.took), err)
		}
	}
	mustHaveBeenReplacedOnce(t)
}

// The same again is no upgrade: nothing restarts.
func TestApplyingTheSameAgainRestartsNothing(t *testing.T) {
	before := podsOfTheOperator(t)
	if err := bed.InstallOperator(t.Context()); err != nil {
		t.Fatal(err)
	}
	awaitHub(t, testbed.Image)
	if after := podsOfTheOperator(t); after != before {
		t.Errorf("the Pods were\n%s\nand are\n%s", before, after)
	}
}

// mustHaveBeenReplacedOnce: another image needs another Pod, and one.
func mustHaveBeenReplacedOnce(t *testing.T) {
	t.Helper()
	sets := appsv1.ReplicaSetList{}
	read(t, &sets, "get", "replicasets", "-l", v1alpha1.LabelHub+"="+hub)
	if len(sets.Items) != 2 {
		t.Errorf("the hub's Deployment has had %d templates, want 2, the earlier image's and this one's\n%s", len(sets.Items), scene(t))
	}
	pods := corev1.PodList{}
	read(t, &pods, "get", "pods", "-l", v1alpha1.LabelHub+"="+hub)
	for _, pod := range pods.Items {
		for _, container := range pod.Status.ContainerStatuses {
			if container.RestartCount > 0 {
				t.Errorf("the container %s of %s was restarted %d times", container.Name, pod.Name, container.RestartCount)
			}
		}
	}
}

func podsOfTheOperator(t *testing.T) string {
	t.Helper()
	return kubectl(t, "-n", testbed.Namespace, "get", "pods", "--sort-by=.metadata.name", "-o",
		`jsonpath={range .items[*]}{.metadata.name} {.metadata.uid} {.status.containerStatuses[*].restartCount}{"\n"}{end}`)
}

// servesBlobs says whether the hub's Pod has served blobs since it runs.
func servesBlobs(ctx context.Context) (bool, error) {
	pod, err := bed.Kubectl(ctx, "-n", testbed.Namespace, "get", "pods", "-l", v1alpha1.LabelHub+"="+hub, "-o", "jsonpath={.items[0].metadata.name}")
	if err != nil {
		return false, err
	}
	metrics, err := bed.Kubectl(ctx, "get", "--raw", "/api/v1/namespaces/"+testbed.Namespace+"/pods/"+strings.TrimSpace(pod)+":8080/proxy/metrics")
	return strings.Contains(metrics, `registryhub_proxy_requests_total{code="200",kind="blob"}`), err
}

func applyHub(t *testing.T) {
	t.Helper()
	bundle, err := bed.CABundle(caBundle)
	if err != nil {
		t.Fatal(err)
	}
	if err := bed.Apply(t.Context(), bundle+"---\n"+fmt.Sprintf(testbed.HubManifest, hub, host, host, caBundle)); err != nil {
		t.Fatal(err)
	}
}

// awaitHub waits until the hub is Ready on all nodes, and runs an image.
func awaitHub(t *testing.T, image string) {
	t.Helper()
	await(t, "the hub to be Ready on all nodes with "+image, func(ctx context.Context) (bool, error) {
		out, err := bed.Kubectl(ctx, "get", "registryhub", hub, "-o",
			`jsonpath={.status.conditions[?(@.type=="Ready")].status} {.status.nodes.summary}`)
		if err != nil || out != fmt.Sprintf("True %d/%d", len(bed.Nodes), len(bed.Nodes)) {
			return false, err
		}
		out, err = bed.Kubectl(ctx, "-n", testbed.Namespace, "get", "pods", "-l", v1alpha1.LabelHub+"="+hub, "-o",
			`jsonpath={.items[*].spec.containers[0].image} {.items[*].status.conditions[?(@.type=="Ready")].status}`)
		return out == image+" True", err
	})
}

func await(t *testing.T, what string, condition func(context.Context) (bool, error)) {
	t.Helper()
	if err := bed.Await(t.Context(), patience, what, condition); err != nil {
		t.Fatalf("%v\n%s", err, scene(t))
	}
}

func kubectl(t *testing.T, args ...string) string {
	t.Helper()
	out, err := bed.Kubectl(t.Context(), args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func read(t *testing.T, list any, args ...string) {
	t.Helper()
	out := kubectl(t, append([]string{"-n", testbed.Namespace, "-o", "json"}, args...)...)
	if err := json.Unmarshal([]byte(out), list); err != nil {
		t.Fatal(err)
	}
}

// scene is what a person would look at when something is not as it should be.
func scene(t *testing.T) string {
	t.Helper()
	seen, err := bed.Kubectl(context.WithoutCancel(t.Context()), "get", "registryhubs,nodemirrors,pods,replicasets", "-A", "-o", "wide")
	if err != nil {
		return err.Error()
	}
	return seen
}
