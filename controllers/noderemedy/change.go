package noderemedy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"reflect"
	"slices"

	"github.com/pelletier/go-toml/v2"

	"github.com/registryhub/registryhub/controllers/nodeagent/runtime"
	"github.com/registryhub/registryhub/controllers/noderemedy/mend"
)

// change tries a plan beside the configuration, carries it out, and undoes it should the whole not come to what the trial did.
func (r *Remedy) change(ctx context.Context, plan mend.Plan, release runtime.Release) error {
	before, err := r.Containerd.Dump(ctx, r.present())
	if err != nil {
		return &mend.DeclinedError{Message: fmt.Sprintf("containerd cannot load its configuration even as it is, which needs a person: %v", err)}
	}
	judge := judge{release: release, certs: r.CertsDirectory, before: before}
	if err := r.try(ctx, plan, judge); err != nil {
		return &mend.DeclinedError{Message: fmt.Sprintf("nothing was changed, since a trial of the change failed: %v", err)}
	}
	err = r.apply(plan.Changes)
	if err == nil {
		err = r.check(ctx, r.Main, judge)
	}
	if err == nil {
		return nil
	}
	if undoErr := r.undo(plan.Changes); undoErr != nil {
		return fmt.Errorf("changing containerd's configuration: %w, and putting it back: %w. See to %s", err, undoErr, r.Main)
	}
	return fmt.Errorf("changing containerd's configuration, which was undone: %w", err)
}

// present is the main file, or one with nothing in it where containerd runs on its defaults: 1.x dumps no file that is missing.
func (r *Remedy) present() string {
	if _, err := fs.Stat(r.Host, r.Main[1:]); errors.Is(err, fs.ErrNotExist) {
		return os.DevNull
	}
	return r.Main
}

// try writes the trial beside, has containerd load it, and removes it.
func (r *Remedy) try(ctx context.Context, plan mend.Plan, judge judge) error {
	var err error
	for _, file := range plan.Trial {
		err = errors.Join(err, r.write(file.Name, file.After))
	}
	if err == nil {
		err = r.check(ctx, plan.Trial[len(plan.Trial)-1].Name, judge)
	}
	for _, file := range plan.Trial {
		err = errors.Join(err, r.remove(file.Name))
	}
	return err
}

func (r *Remedy) check(ctx context.Context, file string, judge judge) error {
	dump, err := r.Containerd.Dump(ctx, file)
	if err != nil {
		return err
	}
	return judge.of(dump)
}

// apply carries changes out, each durable before the next.
func (r *Remedy) apply(changes []mend.Change) error {
	for _, change := range changes {
		if change.Before != nil {
			if err := r.write(change.Name+mend.BackupSuffix, change.Before); err != nil {
				return err
			}
		}
		if err := r.write(change.Name, change.After); err != nil {
			return err
		}
		r.Logger.Info("Changed containerd's configuration", "file", change.Name)
	}
	return nil
}

// undo puts back what was there before, the last first. What was not carried out it does not harm.
func (r *Remedy) undo(changes []mend.Change) error {
	var errs []error
	for _, change := range slices.Backward(changes) {
		if change.Before == nil {
			errs = append(errs, r.remove(change.Name))
			continue
		}
		err := r.write(change.Name, change.Before)
		if err == nil {
			err = r.remove(change.Name + mend.BackupSuffix)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// write puts a file in its place as a whole, and makes that durable.
func (r *Remedy) write(name string, content []byte) error {
	folder := path.Dir(name)
	if err := r.disk.Mkdir(folder); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("making %s: %w", folder, err)
	}
	temporary := name + mend.TemporarySuffix
	if err := r.disk.WriteFile(temporary, content, r.modeOf(name)); err != nil {
		return fmt.Errorf("writing %s: %w", temporary, err)
	}
	if err := r.disk.Rename(temporary, name); err != nil {
		return fmt.Errorf("putting %s in its place: %w", name, err)
	}
	if err := r.disk.Sync(folder); err != nil {
		return fmt.Errorf("making %s durable: %w", name, err)
	}
	return nil
}

// modeOf keeps a file's own mode. A backup and a trial have that of what they stand for, which may hold secrets.
func (r *Remedy) modeOf(name string) fs.FileMode {
	for _, like := range []string{name, mend.Original(name)} {
		if info, err := fs.Stat(r.Host, like[1:]); err == nil {
			return info.Mode().Perm()
		}
	}
	return 0o644
}

func (r *Remedy) remove(name string) error {
	err := r.disk.Remove(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err == nil:
		err = r.disk.Sync(path.Dir(name))
	}
	if err != nil {
		return fmt.Errorf("removing %s: %w", name, err)
	}
	return nil
}

// judge compares what containerd makes of a changed configuration with what it made of the one before.
type judge struct {
	release runtime.Release
	certs   string
	before  []byte
}

// of holds that a dump reads the certs directory, and is otherwise as before.
func (j judge) of(dump []byte) error {
	config, err := runtime.ReadDump(dump, j.release)
	if err != nil {
		return err
	}
	if !config.Reads(j.certs, j.release) {
		return fmt.Errorf("containerd would still not read %s: its config_path would be %q", j.certs, config.ConfigPath)
	}
	was, errWas := rest(j.before)
	is, errIs := rest(dump)
	if err := errors.Join(errWas, errIs); err != nil {
		return err
	}
	if !reflect.DeepEqual(was, is) {
		return errors.New("more of containerd's configuration would change than what it reads about registries")
	}
	return nil
}

// rest is a dump without what a remedy changes.
func rest(dump []byte) (map[string]any, error) {
	all := map[string]any{}
	if err := toml.NewDecoder(bytes.NewReader(dump)).Decode(&all); err != nil {
		return nil, fmt.Errorf("reading containerd's dump of its configuration: %w", err)
	}
	delete(all, "imports")
	plugins, _ := all["plugins"].(map[string]any)
	for _, name := range []string{"io.containerd.grpc.v1.cri", "io.containerd.cri.v1.images"} {
		plugin, _ := plugins[name].(map[string]any)
		delete(plugin, "use_local_image_pull")
		registry, _ := plugin["registry"].(map[string]any)
		delete(registry, "config_path")
	}
	return all, nil
}
