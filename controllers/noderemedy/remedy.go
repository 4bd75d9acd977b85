// Package noderemedy is what a Job of the manager does on one node: it has the node's containerd read hosts.toml files, without
// ever leaving a configuration that containerd cannot load, and undoes what it did where that does not help.
//
// It runs as root with the node's files for its own. It talks to nobody but the node's containerd and systemd.
package noderemedy

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/go-logr/logr"

	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/controllers/nodeagent/cri"
	"github.com/registryhub/registryhub/controllers/nodeagent/runtime"
	"github.com/registryhub/registryhub/controllers/noderemedy/mend"
)

// Runtime is what is asked of the node's runtime.
type Runtime interface {
	Version(ctx context.Context) (cri.Version, error)
	// Ready has an error while nothing can be run.
	Ready(ctx context.Context) error
}

// Containerd is the program that will read the configuration.
type Containerd interface {
	// Dump is what it makes of a main configuration file. An error: it cannot load it.
	Dump(ctx context.Context, file string) ([]byte, error)
}

// Service restarts the runtime.
type Service interface {
	// Restart has an error where the runtime could not be started.
	Restart(ctx context.Context) error
}

// Remedy mends one node.
type Remedy struct {
	// Main is containerd's main configuration file, and CertsDirectory what it has to read.
	Main, CertsDirectory string
	// Started is when containerd did.
	Started time.Time
	// Host is the node's root.
	Host       fs.FS
	Runtime    Runtime
	Containerd Containerd
	// Service is nil where containerd is not to be restarted; WithoutRestart then says why.
	Service        Service
	WithoutRestart string
	Logger         logr.Logger

	disk disk
}

// comeBackWithin is how long a restarted runtime has until it is ready.
const comeBackWithin = time.Minute

// Run mends the node. What it has begun it ends, whatever becomes of the context: it is bounded by itself.
func (r *Remedy) Run(ctx context.Context) configv1alpha1.RemedyReport {
	report, err := r.run(context.WithoutCancel(ctx))
	var declined *mend.DeclinedError
	switch {
	case errors.As(err, &declined):
		report = configv1alpha1.RemedyReport{Outcome: configv1alpha1.RemedyDeclined, Message: declined.Message}
	case err != nil:
		report = configv1alpha1.RemedyReport{Outcome: configv1alpha1.RemedyFailed, Message: err.Error()}
	}
	r.Logger.Info("The remedy ended", "outcome", report.Outcome, "message", report.Message)
	return report
}

func (r *Remedy) run(ctx context.Context) (configv1alpha1.RemedyReport, error) {
	release, err := r.release(ctx)
	if err != nil {
		return configv1alpha1.RemedyReport{}, err
	}
	plan, err := mend.Make(mend.Node{Host: r.Host, Main: r.Main, Release: release, CertsDirectory: r.CertsDirectory})
	if err != nil {
		return configv1alpha1.RemedyReport{}, err
	}
	changes := plan.Changes
	if len(changes) == 0 {
		changes = plan.Done
	}
	if len(changes) == 0 {
		return configv1alpha1.RemedyReport{}, &mend.DeclinedError{Message: "containerd's configuration is as it should be, by somebody else's hand. " +
			"If it was changed since containerd started, restart containerd"}
	}
	others, err := r.changedByOthers(release, plan.Done)
	if err != nil {
		return configv1alpha1.RemedyReport{}, err
	}
	if len(plan.Changes) == 0 && !r.changedSinceStart(changes) {
		return configv1alpha1.RemedyReport{Outcome: configv1alpha1.RemedyMended, Message: fmt.Sprintf("containerd's configuration was changed before (%s), and containerd has restarted since", changes[0].Name)}, nil
	}
	if len(plan.Changes) > 0 {
		if err := r.change(ctx, plan, release); err != nil {
			return configv1alpha1.RemedyReport{}, err
		}
	}
	return r.bringIntoForce(ctx, changes, others)
}

func (r *Remedy) changedSinceStart(changes []mend.Change) bool {
	return slices.ContainsFunc(changes, func(c mend.Change) bool { return r.isNewerThanStart(c.Name) })
}

// isNewerThanStart is also true of a file that cannot be looked at.
func (r *Remedy) isNewerThanStart(name string) bool {
	info, err := fs.Stat(r.Host, strings.TrimPrefix(name, "/"))
	return err != nil || info.ModTime().After(r.Started)
}

func (r *Remedy) release(ctx context.Context) (runtime.Release, error) {
	version, err := r.Runtime.Version(ctx)
	switch {
	case err != nil:
		return runtime.Release{}, err
	case version.Runtime != "containerd":
		return runtime.Release{}, &mend.DeclinedError{Message: fmt.Sprintf("the runtime is %.64q and not containerd", version.Runtime)}
	}
	return runtime.ParseRelease(version.Version)
}

// changedByOthers names a file that somebody changed since containerd started: a restart would bring that into force, too.
func (r *Remedy) changedByOthers(release runtime.Release, done []mend.Change) (string, error) {
	config, err := runtime.Read(r.Host, []string{r.Main}, release)
	if err != nil {
		return "", err
	}
	ours := map[string]bool{}
	for _, change := range done {
		ours[change.Name] = true
	}
	for _, name := range config.Files {
		if !ours[name] && r.isNewerThanStart(name) {
			return name, nil
		}
	}
	return "", nil
}

// bringIntoForce restarts containerd where that is wanted and harms nobody.
func (r *Remedy) bringIntoForce(ctx context.Context, changes []mend.Change, others string) (configv1alpha1.RemedyReport, error) {
	pending := configv1alpha1.RemedyReport{Outcome: configv1alpha1.RemedyRestartPending}
	where := changes[0].Name
	switch {
	case r.Service == nil:
		pending.Message = fmt.Sprintf("containerd's configuration was changed (%s). %s", where, r.WithoutRestart)
		return pending, nil
	case others != "":
		pending.Message = fmt.Sprintf("containerd's configuration was changed (%s). Somebody else changed %s since containerd started, "+
			"and a restart brings that into force, too: restart containerd when that is meant to be", where, others)
		return pending, nil
	}
	if err := r.restart(ctx, changes); err != nil {
		return configv1alpha1.RemedyReport{}, err
	}
	return configv1alpha1.RemedyReport{Outcome: configv1alpha1.RemedyMended, Message: fmt.Sprintf("containerd's configuration was changed (%s), and containerd restarted", where)}, nil
}

// restart undoes the changes when containerd does not come back with them.
func (r *Remedy) restart(ctx context.Context, changes []mend.Change) error {
	r.Logger.Info("Restarting containerd")
	err := r.restartOnce(ctx)
	if err == nil {
		return nil
	}
	r.Logger.Info("Undoing the change, since containerd did not come back", "error", err.Error())
	if undoErr := r.undo(changes); undoErr != nil {
		return fmt.Errorf("containerd did not come back (%w), and its configuration could not be put back: %w. See to the node at once: %s holds what %s was",
			err, undoErr, changes[len(changes)-1].Name+mend.BackupSuffix, changes[len(changes)-1].Name)
	}
	if againErr := r.restartOnce(ctx); againErr != nil {
		return fmt.Errorf("containerd did not come back (%w), neither with its configuration as it was before: %w. See to the node at once", err, againErr)
	}
	return fmt.Errorf("containerd did not come back with the changed configuration, which was undone; it runs again with the one before: %w", err)
}

func (r *Remedy) restartOnce(ctx context.Context) error {
	if err := r.Service.Restart(ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, comeBackWithin)
	defer cancel()
	again := time.NewTicker(time.Second)
	defer again.Stop()
	for {
		err := r.Runtime.Ready(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return fmt.Errorf("waiting %s for it: %w", comeBackWithin, err)
		}
	}
}
