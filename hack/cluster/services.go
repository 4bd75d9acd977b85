package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"

	"github.com/registryhub/registryhub/hack/cluster/kubeapi"
	"github.com/registryhub/registryhub/hack/cluster/names"
	"github.com/registryhub/registryhub/hack/cluster/plan"
	"github.com/registryhub/registryhub/hack/cluster/volumes"
)

// serveNames is the cluster's DNS, in the control plane's sandbox.
func serveNames(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet(namesVerb, flag.ContinueOnError)
	hosts := flags.String("hosts", "", "hosts `file` to answer from")
	listen := flags.String("listen", "", "`address` to listen at")
	credentials := credentialFlags(flags)
	if err := flags.Parse(args); err != nil {
		return err
	}
	client, err := kubeapi.New(plan.APIServer, *credentials)
	if err != nil {
		return err
	}
	connection, err := new(net.ListenConfig).ListenPacket(ctx, "udp", *listen)
	if err != nil {
		return fmt.Errorf("listening for names: %w", err)
	}
	return names.Serve(ctx, connection, names.Either(names.HostsFile(*hosts), names.Services(netip.MustParsePrefix(plan.PodNetwork), client.ClusterIP)))
}

// serveVolumes is a node's provisioner of volumes, in the node's sandbox.
func serveVolumes(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet(volumesVerb, flag.ContinueOnError)
	node := volumes.Node{Log: slog.New(slog.NewTextHandler(os.Stderr, nil))}
	flags.StringVar(&node.Name, "node", "", "`name` of the node")
	flags.StringVar(&node.Folder, "folder", "", "`folder` of the volumes")
	credentials := credentialFlags(flags)
	if err := flags.Parse(args); err != nil {
		return err
	}
	var err error
	if node.API, err = kubeapi.New(plan.APIServer, *credentials); err != nil {
		return err
	}
	node.Run(ctx)
	return nil
}

func credentialFlags(flags *flag.FlagSet) *kubeapi.Credentials {
	credentials := &kubeapi.Credentials{}
	flags.StringVar(&credentials.Authority, "authority", "", "certificate `file` of the cluster's authority")
	flags.StringVar(&credentials.Certificate, "certificate", "", "certificate `file` of the client")
	flags.StringVar(&credentials.Key, "key", "", "key `file` of the client")
	return credentials
}
