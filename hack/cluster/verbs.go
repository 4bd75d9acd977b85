package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/registryhub/registryhub/hack/cluster/assets"
	"github.com/registryhub/registryhub/hack/cluster/plan"
)

func printKubeconfig(context.Context, []string) error {
	if _, err := running(); err != nil {
		return err
	}
	content, err := os.ReadFile(path("kubeconfig"))
	if err != nil {
		return fmt.Errorf("reading the kubeconfig: %w", err)
	}
	_, err = os.Stdout.Write(content)
	return err
}

func kubectl(ctx context.Context, args []string) error {
	current, err := running()
	if err != nil {
		return err
	}
	return become(current.kubectl(ctx, args...))
}

func execute(ctx context.Context, args []string) error {
	if len(args) < 2 {
		return errors.New("exec needs a node and a command: exec node-1 -- ctr --namespace k8s.io images ls")
	}
	current, err := running()
	if err != nil {
		return err
	}
	name, rest := args[0], args[1:]
	if name != plan.ControlPlane {
		if _, err := current.node(name); err != nil {
			return err
		}
	}
	if rest[0] == "--" {
		rest = rest[1:]
	}
	command, err := sandboxOf(name).Command(ctx, plan.Path, rest...)
	if err != nil {
		return err
	}
	return become(command)
}

// become turns this process into command, so that input, output, signals and the exit code are its own.
func become(command *exec.Cmd) error {
	if command.Err != nil {
		return command.Err
	}
	if err := syscall.Exec(command.Path, command.Args, command.Env); err != nil {
		return fmt.Errorf("running %s: %w", command.Path, err)
	}
	return nil
}

func load(ctx context.Context, args []string) error {
	if len(args) != 1 {
		return errors.New("load needs one image archive: load image.tar")
	}
	current, err := running()
	if err != nil {
		return err
	}
	step("importing %s into %d nodes", filepath.Base(args[0]), current.NodeCount)
	return current.eachNode(ctx, func(ctx context.Context, node plan.Node) error {
		return importImage(ctx, node, args[0])
	})
}

// addName adds a line to the file that the cluster's DNS answers from; it reads the file anew for
// each question.
func addName(_ context.Context, args []string) error {
	if len(args) != 2 || strings.ContainsAny(args[0], " \t\n#") {
		return fmt.Errorf("name needs a name and an address: name registry.test %s", plan.HostAddress)
	}
	address, err := netip.ParseAddr(args[1])
	if err != nil {
		return fmt.Errorf("the second argument of name is no address: %w", err)
	}
	if _, err := running(); err != nil {
		return err
	}
	hosts, err := os.OpenFile(namesFile(), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("opening the cluster's names: %w", err)
	}
	_, err = fmt.Fprintf(hosts, "%s %s\n", address, args[0])
	if closeErr := hosts.Close(); err == nil {
		err = closeErr
	}
	return err
}

// namesFile is where plan.NamesFile is on the machine.
func namesFile() string { return filepath.Join(controlPlane().Dir, plan.NamesFile) }

// nodeOf is the one node that a verb was given, and its cluster.
func nodeOf(verb string, args []string) (*cluster, plan.Node, error) {
	if len(args) != 1 {
		return nil, plan.Node{}, fmt.Errorf("%s needs a node: %s node-1", verb, verb)
	}
	current, err := running()
	if err != nil {
		return nil, plan.Node{}, err
	}
	node, err := current.node(args[0])
	return current, node, err
}

func restartContainerd(ctx context.Context, args []string) error {
	_, node, err := nodeOf("restart-containerd", args)
	if err != nil {
		return err
	}
	if err := sandboxOf(node.Name).Stop(ctx, "containerd"); err != nil {
		return err
	}
	return startContainerd(ctx, node)
}

func printAssets(ctx context.Context, _ []string) error {
	store, err := assets.Find(step)
	if err != nil {
		return err
	}
	folder, err := store.Envtest(ctx)
	if err != nil {
		return err
	}
	_, err = fmt.Println(folder)
	return err
}
