package main

import (
	"github.com/spf13/cobra"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/registryhub/registryhub/controllers/nodeagent"
)

func newNodeAgentCommand() *cobra.Command {
	var options nodeagent.Options
	var verbosity int
	cmd := &cobra.Command{
		Use:   "node-agent",
		Short: "Lead this node's containerd to the hubs",
		Long: "Lead this node's containerd to the hubs. The API server is the cluster's that it runs in, " +
			"or the one that KUBECONFIG names.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			log := newLogger(verbosity)
			ctrl.SetLogger(log)
			api, err := ctrl.GetConfig()
			if err != nil {
				return err
			}
			return nodeagent.Run(cmd.Context(), api, options, log)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&options.NodeName, "node-name", "", "name of the node it runs on (required)")
	flags.StringVar(&options.Namespace, "namespace", "registryhub-system", "namespace of the operator")
	flags.StringVar(&options.CertsDirectory, "certs-directory", "/etc/containerd/certs.d", "containerd's config_path")
	flags.StringVar(&options.RunDirectory, "run-directory", "/run/registryhub", "directory of the agent's own, at the same path as on the node, which a reboot empties")
	flags.StringVar(&options.ClientCertificateDirectory, "client-certificate-directory", "", "directory that holds tls.crt and tls.key, the certificate that nodes show to hubs")
	flags.StringVar(&options.HealthAddress, "health-address", "127.0.0.1:20254", "address that serves /healthz and /readyz")
	flags.StringVar(&options.MetricsAddress, "metrics-address", "0", "address that serves /metrics, in the node's network; 0 for nowhere")
	flags.DurationVar(&options.CanaryInterval, "canary-interval", 0, "how long a proof is believed that the container runtime pulls through a hub; 0: nothing is proven, and the runtime's socket is not used")
	flags.IntVarP(&verbosity, "verbosity", "v", 0, "0 tells what changed, 1 why, 2 each step")
	cobra.CheckErr(cmd.MarkFlagRequired("node-name"))
	return cmd
}
