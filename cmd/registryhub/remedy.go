package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"

	"github.com/spf13/cobra"

	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/controllers/noderemedy"
)

// nodePath is where the programs of nodes are: the usual places, and those of NixOS.
const nodePath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/run/current-system/sw/bin"

func newRemedyCommand() *cobra.Command {
	var options noderemedy.Options
	var root, reportFile string
	var verbosity int
	cmd := &cobra.Command{
		Use:   "remedy",
		Short: "Have this node's containerd read hosts.toml files",
		Long: "Have this node's containerd read hosts.toml files. The manager runs it in a Job, as its configuration says (remedy);\n" +
			"docs/guides/remedies.md says what it changes. It needs to be root, with the node's files and processes.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			options.Logger = newLogger(verbosity)
			return runRemedy(cmd.Context(), root, reportFile, options)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&root, "root", "/", "where the node's root is; what is done is done below it")
	flags.StringVar(&reportFile, "report-file", "", "file that gets a line of JSON at the end, with outcome and message")
	flags.StringVar(&options.CertsDirectory, "certs-directory", "/etc/containerd/certs.d", "directory that containerd has to read")
	flags.BoolVar(&options.Restart, "restart", false, "restart containerd, which leaves Pods running, and undo everything if it does not come back")
	flags.IntVarP(&verbosity, "verbosity", "v", 0, "0 tells what changed, 1 why, 2 each step")
	return cmd
}

func runRemedy(ctx context.Context, root, reportFile string, options noderemedy.Options) (err error) {
	report := os.Stdout
	if reportFile != "" {
		// Opened while its name is not yet another one's.
		if report, err = os.OpenFile(reportFile, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600); err != nil {
			return fmt.Errorf("opening the report: %w", err)
		}
		defer func() { err = errors.Join(err, report.Close()) }()
	}
	if err := enter(root); err != nil {
		return err
	}
	result := noderemedy.Run(ctx, options)
	if _, err := report.Write(result.Encode()); err != nil {
		return fmt.Errorf("writing the report: %w", err)
	}
	if result.Outcome == configv1alpha1.RemedyFailed {
		return errors.New(result.Message)
	}
	return nil
}

// enter makes the node's root this process's own, so that paths and programs are the node's.
func enter(root string) error {
	if root != "/" {
		if err := syscall.Chroot(root); err != nil {
			return fmt.Errorf("entering the node's root %s: %w", root, err)
		}
	}
	return errors.Join(os.Chdir("/"), os.Setenv("PATH", nodePath))
}
