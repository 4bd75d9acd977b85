package main

import (
	"context"
	"fmt"
	"os"
	"runtime/debug"

	"github.com/spf13/cobra"
	"k8s.io/client-go/kubernetes"
	ctrl "sigs.k8s.io/controller-runtime"

	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/controllers"
)

func newManagerCommand() *cobra.Command {
	var configFile string
	var verbosity int
	options := controllers.Options{}
	cmd := &cobra.Command{
		Use:   "manager",
		Short: "Run the operator",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			options.Logger = newLogger(verbosity)
			return runManager(cmd.Context(), configFile, options)
		},
	}
	cmd.Flags().StringVar(&configFile, "config", "", "file that holds the OperatorConfiguration (required)")
	cmd.Flags().StringVar(&options.MetricsAddress, "metrics-address", ":8080", "address that serves /metrics; 0 for nowhere")
	cmd.Flags().StringVar(&options.HealthAddress, "health-address", ":8081", "address that serves /healthz and /readyz; 0 for nowhere")
	cmd.Flags().BoolVar(&options.LeaderElection, "leader-elect", true, "work only while holding the Lease, so that several managers can run")
	cmd.Flags().IntVarP(&verbosity, "verbosity", "v", 0, "0 tells what changed, 1 why, 2 each step")
	if err := cmd.MarkFlagRequired("config"); err != nil {
		panic(err) // the flag is defined above
	}
	return cmd
}

func runManager(ctx context.Context, configFile string, options controllers.Options) error {
	data, err := os.ReadFile(configFile)
	if err != nil {
		return fmt.Errorf("reading the operator's configuration: %w", err)
	}
	configuration, err := configv1alpha1.DecodeOperatorConfiguration(data)
	if err != nil {
		return err
	}
	keepHeapSmall()
	ctrl.SetLogger(options.Logger)
	cluster, err := ctrl.GetConfig()
	if err != nil {
		return fmt.Errorf("finding the cluster: %w", err)
	}
	clients, err := kubernetes.NewForConfig(cluster)
	if err != nil {
		return fmt.Errorf("talking to the cluster: %w", err)
	}
	if err := controllers.ResolveImage(ctx, clients.AppsV1(), configuration); err != nil {
		return err
	}
	mgr, err := controllers.NewManager(cluster, configuration, options)
	if err != nil {
		return err
	}
	if err := mgr.Start(ctx); err != nil {
		return fmt.Errorf("running the manager: %w", err)
	}
	return nil
}

// keepHeapSmall has the heap collected when it has grown by half, and not when it has doubled. A manager of thousands of nodes
// holds them in its caches and makes garbage seldom: memory is what it costs, and not CPU. GOGC in the environment counts.
func keepHeapSmall() {
	const growth = 50 // percent
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(growth)
	}
}
