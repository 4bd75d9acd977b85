package main

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/registryhub/registryhub/hack/cluster/assets"
	"github.com/registryhub/registryhub/hack/cluster/kubeapi"
	"github.com/registryhub/registryhub/hack/cluster/plan"
)

// smokePatience is how long one of the smoke test's conditions may take.
const smokePatience = time.Minute

// smokeTest proves that the running cluster does what tests rely on.
type smokeTest struct {
	*cluster
	api *kubeapi.Client
	// binary is the probe, for use on the nodes themselves.
	binary string
	// service is the URL of the probes' Service.
	service string
}

func smoke(ctx context.Context, _ []string) error {
	current, err := running()
	if err != nil {
		return err
	}
	if err := current.fault(ctx); err != nil {
		return err
	}
	step("nodes are Ready")
	test := &smokeTest{cluster: current}
	if test.api, err = newAPI(); err != nil {
		return err
	}
	if err := test.deploy(ctx); err != nil {
		return err
	}
	for _, check := range []func(context.Context) error{
		test.servicesFromNodes, test.servicesFromPods, test.apiFromPods, test.volumes, test.pullFromMachine, test.containerdRestart, test.remove,
	} {
		if err := check(ctx); err != nil {
			return fmt.Errorf("the smoke test failed, and its namespace %s is left for a look: %w", smokeNamespace, err)
		}
	}
	step("the smoke test passed")
	return nil
}

// deploy runs a probe on every node, from an image that is built here.
func (t *smokeTest) deploy(ctx context.Context) error {
	store, err := assets.Find(step)
	if err != nil {
		return err
	}
	archive, err := store.Image(ctx, "hack/cluster/probe", smokeImage)
	if err != nil {
		return err
	}
	if t.binary, err = store.Program(ctx, "hack/cluster/probe"); err != nil {
		return err
	}
	if err := load(ctx, []string{archive}); err != nil {
		return err
	}
	// What a failed smoke test left.
	if err := t.run(ctx, "delete", "--ignore-not-found", "namespace/"+smokeNamespace, "clusterrole/"+smokeNamespace, "clusterrolebinding/"+smokeNamespace); err != nil {
		return err
	}
	if err := t.apply(ctx, smokeManifest()); err != nil {
		return err
	}
	for _, wait := range [][]string{
		{"rollout", "status", "daemonset/probe"},
		{"wait", "--for=condition=Ready", "pod/writer"},
	} {
		if err := t.run(ctx, append(wait, "--namespace="+smokeNamespace, "--timeout=60s")...); err != nil {
			return err
		}
	}
	address, err := t.api.ClusterIP(ctx, smokeNamespace, "probe")
	if err != nil {
		return err
	}
	t.service = "http://" + address + ":8080"
	step("a DaemonSet runs on every node, from an image that was loaded, in a namespace with restricted Pod security")
	return nil
}

// run runs kubectl; an error carries what it printed.
func (t *smokeTest) run(ctx context.Context, args ...string) error {
	if printed, err := t.kubectl(ctx, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("running kubectl %s: %w\n%s", strings.Join(args, " "), err, printed)
	}
	return nil
}

// servicesFromNodes checks that the Service leads from every node's own network to the pods of all.
func (t *smokeTest) servicesFromNodes(ctx context.Context) error {
	for _, from := range t.nodes() {
		for _, to := range t.nodes() {
			err := eventually(ctx, to.Name, func() (string, error) {
				command, err := sandboxOf(from.Name).NetCommand(ctx, t.binary, t.service+"/node")
				if err != nil {
					return "", err
				}
				return printed(command)
			})
			if err != nil {
				return fmt.Errorf("from %s to a pod on %s by ClusterIP: %w", from.Name, to.Name, err)
			}
		}
	}
	step("a ClusterIP leads from every node to the pods of every node")
	return nil
}

// servicesFromPods checks the same from pods, by the Service's name, and that the machine reaches pods.
func (t *smokeTest) servicesFromPods(ctx context.Context) error {
	target := url.QueryEscape("http://probe." + smokeNamespace + ".svc.cluster.local:8080/node")
	for _, from := range t.nodes() {
		address, err := t.probeOn(ctx, from)
		if err != nil {
			return err
		}
		for _, to := range t.nodes() {
			err := eventually(ctx, to.Name, func() (string, error) {
				return printed(exec.CommandContext(ctx, t.binary, address+"/fetch?url="+target))
			})
			if err != nil {
				return fmt.Errorf("from a pod on %s to a pod on %s by name: %w", from.Name, to.Name, err)
			}
		}
	}
	step("a Service's name leads from pods on every node to the pods of every node")
	return nil
}

// apiFromPods checks that a client in a pod reaches the API server, with its service account's token.
func (t *smokeTest) apiFromPods(ctx context.Context) error {
	for _, from := range t.nodes() {
		address, err := t.probeOn(ctx, from)
		if err != nil {
			return err
		}
		nodes, err := printed(exec.CommandContext(ctx, t.binary, address+"/nodes"))
		if err != nil || !strings.Contains(nodes, `"name":"`+from.Name+`"`) {
			return fmt.Errorf("listing nodes from a pod on %s: %q %w", from.Name, nodes, err)
		}
	}
	step("pods on every node list nodes through the API server")
	return nil
}

// volumes checks that a pod that is not root writes to its ReadWriteOncePod volume.
func (t *smokeTest) volumes(ctx context.Context) error {
	address, err := t.podURL(ctx, "writer")
	if err != nil {
		return err
	}
	user, err := printed(exec.CommandContext(ctx, t.binary, address+"/write?folder=/data"))
	if err != nil || user != "uid 65532" {
		return fmt.Errorf("writing to a volume: %q %w", user, err)
	}
	written, err := t.writtenFiles()
	if err != nil || len(written) != 1 {
		return fmt.Errorf("looking for what the pod wrote in the nodes' volume folders: %v %w", written, err)
	}
	step("a pod of uid 65532 wrote to its ReadWriteOncePod volume: %s", written[0])
	return t.growVolume(ctx)
}

// growVolume checks that a claim gets more when it asks for more.
func (t *smokeTest) growVolume(ctx context.Context) error {
	for _, args := range [][]string{
		{"patch", "persistentvolumeclaim/data", `--patch={"spec": {"resources": {"requests": {"storage": "2Gi"}}}}`},
		{"wait", "--for=jsonpath={.status.capacity.storage}=2Gi", "persistentvolumeclaim/data", "--timeout=60s"},
	} {
		if err := t.run(ctx, append(args, "--namespace="+smokeNamespace)...); err != nil {
			return err
		}
	}
	step("a claim that asked for more got it")
	return nil
}

func (t *smokeTest) writtenFiles() ([]string, error) {
	return filepath.Glob(path("node-*", plan.VolumesFolder, "*", "written"))
}

// containerdRestart checks that pods live on when a node's containerd is restarted.
func (t *smokeTest) containerdRestart(ctx context.Context) error {
	node := t.nodes()[0]
	before, err := t.probeOn(ctx, node)
	if err != nil {
		return err
	}
	if err := restartContainerd(ctx, []string{node.Name}); err != nil {
		return err
	}
	if err := runIn(ctx, sandboxOf(node.Name), nil, "ctr", "--namespace", "k8s.io", "containers", "ls"); err != nil {
		return err
	}
	if name, err := printed(exec.CommandContext(ctx, t.binary, before+"/node")); err != nil || name != node.Name {
		return fmt.Errorf("asking a pod on %s after containerd's restart: %q %w", node.Name, name, err)
	}
	step("a pod lived on while its node's containerd was restarted")
	return nil
}

// remove deletes what the smoke test made, and checks that the volume goes too.
func (t *smokeTest) remove(ctx context.Context) error {
	for _, args := range [][]string{
		{"delete", "clusterrolebinding/" + smokeNamespace, "clusterrole/" + smokeNamespace},
		{"delete", "namespace/" + smokeNamespace, "--timeout=60s"},
		{"wait", "--for=delete", "persistentvolume", "--all", "--timeout=60s"},
	} {
		if err := t.run(ctx, args...); err != nil {
			return err
		}
	}
	if left, err := t.writtenFiles(); err != nil || len(left) > 0 {
		return fmt.Errorf("the volume's files are still there: %v %w", left, err)
	}
	step("the volume went with its claim")
	return nil
}

// probeOn returns the URL of the probe on a node.
func (t *smokeTest) probeOn(ctx context.Context, node plan.Node) (string, error) {
	return t.podAt(ctx, "fieldSelector="+url.QueryEscape("spec.nodeName="+node.Name)+"&labelSelector=app%3Dprobe")
}

func (t *smokeTest) podURL(ctx context.Context, name string) (string, error) {
	return t.podAt(ctx, "fieldSelector="+url.QueryEscape("metadata.name="+name))
}

func (t *smokeTest) podAt(ctx context.Context, selector string) (string, error) {
	var pods struct {
		Items []struct{ Status struct{ PodIP string } }
	}
	if err := t.api.Get(ctx, "/api/v1/namespaces/"+smokeNamespace+"/pods?"+selector, &pods); err != nil {
		return "", err
	}
	if len(pods.Items) != 1 || pods.Items[0].Status.PodIP == "" {
		return "", fmt.Errorf("%d pods with an address for %s, want 1", len(pods.Items), selector)
	}
	return "http://" + pods.Items[0].Status.PodIP + ":8080", nil
}

// eventually asks until the answer is wanted: a Service chooses among its pods at random.
func eventually(ctx context.Context, wanted string, ask func() (string, error)) error {
	ctx, cancel := context.WithTimeout(ctx, smokePatience)
	defer cancel()
	for {
		answer, err := ask()
		if err == nil && answer == wanted {
			return nil
		}
		if !pause(ctx, 50*time.Millisecond) {
			return fmt.Errorf("no answer %q within %s, the last was %q: %w", wanted, smokePatience, answer, err)
		}
	}
}

// printed runs a command and returns what it printed; an error carries its complaints.
func printed(command *exec.Cmd) (string, error) {
	var complaints strings.Builder
	command.Stderr = &complaints
	// A proxy that the machine uses does not lead to the cluster.
	command.Env = []string{"PATH=" + os.Getenv("PATH")}
	answer, err := command.Output()
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, complaints.String())
	}
	return string(answer), nil
}
