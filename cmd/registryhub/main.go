// Command registryhub is the one binary of the project: the manager, a hub's proxy, the nodes' agent, and their remedy.
package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/go-logr/logr"
	"github.com/spf13/cobra"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	err := newRootCommand().ExecuteContext(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "registryhub:", err)
		os.Exit(1)
	}
}

func newRootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:           "registryhub",
		Short:         "Registry mirrors for Kubernetes nodes",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.AddCommand(newManagerCommand())
	root.AddCommand(newVersionCommand())
	root.AddCommand(newProxyCommand())
	root.AddCommand(newNodeAgentCommand())
	root.AddCommand(newRemedyCommand())
	return root
}

// newLogger writes JSON lines to standard error. Verbosity 0 tells what changed, 1 why, 2 each step.
func newLogger(verbosity int) logr.Logger {
	handler := slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: slog.Level(-verbosity)})
	return logr.FromSlogHandler(handler)
}
