// Command cluster runs a real Kubernetes cluster on one Linux machine, as root: etcd, the control
// plane, and nodes with a containerd, a kubelet and a kube-proxy of their own. It needs no container
// engine, and nothing of it remains after down but the cache of what it built.
//
//	go run ./hack/cluster up
//	go run ./hack/cluster kubectl get nodes
//	go run ./hack/cluster down
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sort"
	"strings"
	"syscall"

	"github.com/registryhub/registryhub/hack/cluster/sandbox"
)

// verb is one thing that the command does.
type verb struct {
	usage, help string
	run         func(ctx context.Context, args []string) error
}

// The verbs that only this program itself uses.
const (
	initVerb    = "init"
	namesVerb   = "names"
	volumesVerb = "volumes"
)

func verbs() map[string]verb {
	return map[string]verb{
		"up":                 {"[--nodes N] [--containerd 2.4|1.6]", "start the cluster, building and installing what is missing", up},
		"down":               {"", "end the cluster and remove everything but the cache", down},
		"status":             {"[--json]", "show how the cluster is and where its things are", status},
		"kubeconfig":         {"", "print the administrator's kubeconfig", printKubeconfig},
		"kubectl":            {"ARGS...", "run kubectl as the administrator", kubectl},
		"exec":               {"NODE -- COMMAND...", "run a command inside a node (or control-plane)", execute},
		"load":               {"FILE.tar", "import an image archive into every node", load},
		"name":               {"NAME ADDRESS", "make NAME resolve to ADDRESS on all nodes and in all pods", addName},
		"power-off":          {"NODE", "end a node as a power cut does: its processes, its /run and its network are gone, its disk stays", powerOff},
		"power-on":           {"NODE [PROCESS...]", "start a node from its disk, with all its processes or those named; more can follow", powerOn},
		"restart-containerd": {"NODE", "restart a node's containerd; pods keep running", restartContainerd},
		"assets":             {"", "build kube-apiserver and kubectl, find etcd, print their folder (KUBEBUILDER_ASSETS)", printAssets},
		"smoke":              {"", "prove that the running cluster does what tests rely on", smoke},
	}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "cluster:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) == 0 || args[0] == "help" || args[0] == "--help" || args[0] == "-h" {
		return usage(os.Stdout)
	}
	switch args[0] {
	case initVerb:
		return sandbox.Init(ctx, os.Stdin)
	case namesVerb:
		return serveNames(ctx, args[1:])
	case volumesVerb:
		return serveVolumes(ctx, args[1:])
	}
	chosen, found := verbs()[args[0]]
	if !found {
		_ = usage(os.Stderr)
		return fmt.Errorf("there is no verb %q", args[0])
	}
	return chosen.run(ctx, args[1:])
}

func usage(out io.Writer) error {
	var text strings.Builder
	text.WriteString("usage: go run ./hack/cluster VERB\n\n")
	known := verbs()
	names := make([]string, 0, len(known))
	for name := range known {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		fmt.Fprintf(&text, "  %s\n        %s\n", strings.TrimSpace(name+" "+known[name].usage), known[name].help)
	}
	_, err := io.WriteString(out, text.String())
	return err
}
