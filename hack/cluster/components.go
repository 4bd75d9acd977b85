package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/registryhub/registryhub/hack/cluster/kubeapi"
	"github.com/registryhub/registryhub/hack/cluster/plan"
	"github.com/registryhub/registryhub/hack/cluster/sandbox"
)

func controlPlaneProcesses() []sandbox.Process {
	return []sandbox.Process{
		plan.Etcd(),
		plan.KubeAPIServer(),
		plan.KubeControllerManager(),
		plan.KubeScheduler(),
		plan.Names(),
	}
}

func nodeProcesses(node plan.Node) []sandbox.Process {
	return []sandbox.Process{plan.Containerd(), node.Kubelet(), node.KubeProxy(), node.Volumes()}
}

// startControlPlane starts etcd and the API server, and the rest once that is ready: the others give up
// when they cannot reach it.
func (c *cluster) startControlPlane(ctx context.Context) error {
	step("starting etcd and kube-apiserver")
	processes := controlPlaneProcesses()
	if err := startAll(ctx, controlPlane(), processes[:2]); err != nil {
		return err
	}
	api, err := newAPI()
	if err != nil {
		return err
	}
	if err := (component{controlPlane(), "kube-apiserver"}).await(ctx, api.Ready); err != nil {
		return err
	}
	step("starting kube-controller-manager, kube-scheduler and DNS")
	return startAll(ctx, controlPlane(), processes[2:])
}

func startAll(ctx context.Context, machine sandbox.Sandbox, processes []sandbox.Process) error {
	for _, process := range processes {
		if err := machine.Start(ctx, process); err != nil {
			return err
		}
	}
	return nil
}

// startNodes starts what runs on each node, all nodes at once.
func (c *cluster) startNodes(ctx context.Context, pause string) error {
	step("starting containerd, kubelet and kube-proxy on %d nodes", c.NodeCount)
	return c.eachNode(ctx, func(ctx context.Context, node plan.Node) error {
		if err := startContainerd(ctx, node); err != nil {
			return err
		}
		// Before kubelet, which cannot run a pod without it.
		if err := importImage(ctx, node, pause); err != nil {
			return err
		}
		return startAll(ctx, sandboxOf(node.Name), nodeProcesses(node)[1:])
	})
}

// eachNode does the same on all nodes at once.
func (c *cluster) eachNode(ctx context.Context, do func(context.Context, plan.Node) error) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, node := range c.nodes() {
		group.Go(func() error { return do(ctx, node) })
	}
	return group.Wait()
}

// startContainerd starts a node's containerd and waits until it answers.
func startContainerd(ctx context.Context, node plan.Node) error {
	machine := sandboxOf(node.Name)
	if err := machine.Start(ctx, plan.Containerd()); err != nil {
		return err
	}
	return component{machine, "containerd"}.await(ctx, func(ctx context.Context) error {
		return runIn(ctx, machine, nil, "ctr", "version")
	})
}

// importImage imports an image archive into a node's containerd, where kubelet finds it.
func importImage(ctx context.Context, node plan.Node, archive string) error {
	// Through stdin, for the node may not see the file's folder.
	file, err := os.Open(archive)
	if err != nil {
		return fmt.Errorf("opening an image archive: %w", err)
	}
	defer func() { _ = file.Close() }()
	if err := runIn(ctx, sandboxOf(node.Name), file, "ctr", "--namespace", "k8s.io", "images", "import", "-"); err != nil {
		return fmt.Errorf("importing %s into %s: %w", filepath.Base(archive), node.Name, err)
	}
	return nil
}

// runIn runs a command inside a sandbox; an error carries what it printed.
func runIn(ctx context.Context, machine sandbox.Sandbox, input *os.File, args ...string) error {
	command, err := machine.Command(ctx, plan.Path, args...)
	if err != nil {
		return err
	}
	if input != nil {
		command.Stdin = input
	}
	var printed bytes.Buffer
	command.Stdout, command.Stderr = &printed, &printed
	if err := command.Run(); err != nil {
		return fmt.Errorf("running %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(printed.String()))
	}
	return nil
}

// newAPI returns a client of the API server with the administrator's rights.
func newAPI() (*kubeapi.Client, error) {
	return kubeapi.New(plan.APIServer, kubeapi.Credentials{
		Authority: path("ca.pem"), Certificate: path("admin.pem"), Key: path("admin-key.pem"),
	})
}

// finish waits for the nodes and makes what every cluster has.
func (c *cluster) finish(ctx context.Context) error {
	if err := c.apply(ctx, plan.Storage()); err != nil {
		return fmt.Errorf("making the storage class: %w", err)
	}
	step("waiting for the nodes")
	api, err := newAPI()
	if err != nil {
		return err
	}
	for _, node := range c.nodes() {
		isReady := func(ctx context.Context) error { return api.NodeReady(ctx, node.Name) }
		if err := (component{sandboxOf(node.Name), "kubelet"}).await(ctx, isReady); err != nil {
			return err
		}
	}
	// Without it no pod can be created in the default namespace.
	return component{controlPlane(), "kube-controller-manager"}.await(ctx, func(ctx context.Context) error {
		return api.Get(ctx, "/api/v1/namespaces/default/serviceaccounts/default", nil)
	})
}

// apply creates the objects of a manifest.
func (c *cluster) apply(ctx context.Context, manifest []byte) error {
	command := c.kubectl(ctx, "create", "--filename=-")
	command.Stdin = bytes.NewReader(manifest)
	if printed, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("running kubectl create: %w\n%s", err, printed)
	}
	return nil
}

// kubectl returns a kubectl command that runs as the administrator.
func (c *cluster) kubectl(ctx context.Context, args ...string) *exec.Cmd {
	command := exec.CommandContext(ctx, filepath.Join(c.Programs.Kubernetes, "kubectl"), args...)
	// What kubectl remembers of an API server must not outlive the cluster: the next one has the same address.
	command.Env = append(os.Environ(), "KUBECONFIG="+path("kubeconfig"), "KUBECACHEDIR="+path("kubectl-cache"))
	return command
}

// fault says what is wrong with a cluster that has been up.
func (c *cluster) fault(ctx context.Context) error {
	if err := checkProcesses(ctx, controlPlane(), controlPlaneProcesses()); err != nil {
		return err
	}
	for _, node := range c.nodes() {
		if err := checkProcesses(ctx, sandboxOf(node.Name), nodeProcesses(node)); err != nil {
			return err
		}
	}
	api, err := newAPI()
	if err != nil {
		return err
	}
	for _, node := range c.nodes() {
		isReady := func(ctx context.Context) error { return api.NodeReady(ctx, node.Name) }
		if err := (component{sandboxOf(node.Name), "kubelet"}).await(ctx, isReady); err != nil {
			return err
		}
	}
	return nil
}

func checkProcesses(ctx context.Context, machine sandbox.Sandbox, wanted []sandbox.Process) error {
	states, err := machine.States(ctx)
	if err != nil {
		return err
	}
	running := map[string]bool{}
	for _, state := range states {
		running[state.Name] = state.Running
	}
	for _, process := range wanted {
		if !running[process.Name] {
			return fmt.Errorf("%s on %s does not run", process.Name, machine.Name)
		}
	}
	return nil
}
