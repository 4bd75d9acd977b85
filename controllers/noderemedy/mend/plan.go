// Package mend plans how a containerd that reads no hosts.toml files is made to: what is written to which of its configuration
// files, and what was there before. It reads and decides, and writes nothing.
package mend

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/registryhub/registryhub/controllers/nodeagent/runtime"
)

// Node is what a plan is made for.
type Node struct {
	// Host is the node's root.
	Host fs.FS
	// Main is containerd's main configuration file, an absolute path. It need not be there.
	Main string
	// Release of the containerd that reads it.
	Release runtime.Release
	// CertsDirectory is what has to be read.
	CertsDirectory string
}

// Change is one file that is written.
type Change struct {
	// Name is an absolute path.
	Name string
	// Before is what the file holds now, nil where there is none but one of ours; After is what it is to hold.
	Before, After []byte
}

// Plan is what is to be done about a node.
type Plan struct {
	// Changes in their order. A configuration with any number of the first of them loads. None: the files say what they should.
	Changes []Change
	// Done are changes that were made by an earlier remedy and are there still, in the order of Changes.
	Done []Change
	// Trial is what containerd is to load before anything is changed: files beside those that they stand for, the main one last.
	Trial []Change
}

// DeclinedError says why a node is left as it is, and what a person can do.
type DeclinedError struct{ Message string }

// Error is the message.
func (e *DeclinedError) Error() string { return e.Message }

func declined(format string, args ...any) error {
	return &DeclinedError{Message: fmt.Sprintf(format, args...)}
}

// Names of what a remedy leaves on a node. None ends as configuration files do.
const (
	// dropInFolder is beside the main file. It is imported by a pattern, so that it can be emptied or removed without harm.
	dropInFolder = "registryhub.d"
	dropInFile   = "99-registryhub.toml"
	// BackupSuffix marks what a file held before it was edited.
	BackupSuffix = ".before-registryhub"
	trialSuffix  = ".registryhub-trial"
	// TemporarySuffix marks what is being written.
	TemporarySuffix = ".registryhub-new"
)

// Original is the file that a backup or a trial of a plan stands for.
func Original(name string) string {
	for _, suffix := range []string{BackupSuffix, trialSuffix} {
		name = strings.TrimSuffix(name, suffix)
	}
	return name
}

// Make makes the plan. An error is a DeclinedError where the node is none that can be mended without a person.
func Make(n Node) (Plan, error) {
	config, err := runtime.Read(n.Host, []string{n.Main}, n.Release)
	if err != nil {
		return Plan{}, err
	}
	p := planner{Node: n, config: config}
	done, err := p.done()
	if err != nil {
		return Plan{}, err
	}
	if config.Reads(n.CertsDirectory, n.Release) {
		return Plan{Done: done}, nil
	}
	if err := p.refuse(); err != nil {
		return Plan{}, err
	}
	plan, err := p.change()
	if err != nil {
		return Plan{}, err
	}
	return plan, p.checkNames(plan)
}

type planner struct {
	Node
	config runtime.Config
}

// refuse says what only a person can decide.
func (p planner) refuse() error {
	roots := p.config.Roots()
	switch {
	case p.config.Mirrors:
		return declined("containerd has the legacy registry.mirrors, beside which it does not start with a config_path. Take them out by hand")
	case p.config.ClientTLS && !p.Release.AtLeast(2, 0):
		return declined("containerd has TLS settings in the legacy registry.configs, beside which it does not start with a config_path. " +
			"Put them into hosts.toml files by hand")
	case len(roots) > 0 && !slices.Contains(roots, p.CertsDirectory):
		return declined("containerd's registry.config_path is %q, which somebody chose, and its hosts.toml files would be lost by another. "+
			"Set nodeAgent.certsDirectory of the OperatorConfiguration to it", p.config.ConfigPath)
	}
	return nil
}

// change plans the change of the value: in a file of its own where files are merged key by key, which is from 2.0 on, and in
// the file that holds the plug-in's table before, since there another file would stand in for all of that.
func (p planner) change() (Plan, error) {
	if _, err := p.read(p.Main); err != nil {
		return Plan{}, err
	}
	switch {
	case len(p.config.Files) == 0:
		return p.create(), nil
	case p.Release.AtLeast(2, 0):
		return p.dropIn()
	}
	return p.edit()
}

// create writes the main file, where containerd runs on its defaults.
func (p planner) create() Plan {
	version, table := 2, old
	if p.Release.AtLeast(2, 0) {
		version, table = 3, p.table()
	}
	content := p.file(version, table)
	return Plan{
		Changes: []Change{{Name: p.Main, After: content}},
		Trial:   []Change{{Name: p.Main + trialSuffix, After: content}},
	}
}

// dropIn adds a file to a folder that is imported, and the import, where there is none.
func (p planner) dropIn() (Plan, error) {
	main, err := p.read(p.Main)
	if err != nil {
		return Plan{}, err
	}
	content, trial := p.file(3, p.table()), p.Main+".drop-in"+trialSuffix
	tried, err := withImport(main, trial)
	if err != nil {
		return Plan{}, p.unedited(p.Main, err)
	}
	plan := Plan{Trial: []Change{{Name: trial, After: content}, {Name: p.Main + trialSuffix, After: tried}}}
	folder, imported := p.imported()
	before, err := p.read(path.Join(folder, dropInFile))
	if err != nil {
		return Plan{}, err
	}
	if before != nil && !bytes.HasPrefix(before, []byte(mark)) {
		return Plan{}, declined("%s is somebody else's. Move it away", path.Join(folder, dropInFile))
	}
	plan.Changes = []Change{{Name: path.Join(folder, dropInFile), After: content}}
	if imported {
		return plan, nil
	}
	edited, err := withImport(main, pattern(folder))
	if err != nil {
		return Plan{}, p.unedited(p.Main, err)
	}
	plan.Changes = append(plan.Changes, Change{Name: p.Main, Before: main, After: edited})
	return plan, nil
}

// imported is a folder that the main file imports by a pattern, the one that is read last, or that of a remedy.
func (p planner) imported() (folder string, there bool) {
	for _, i := range slices.Backward(p.config.Imports) {
		folder := path.Dir(i.Pattern)
		if matches, err := path.Match(i.Pattern, path.Join(folder, dropInFile)); i.By == p.Main && err == nil && matches && !strings.Contains(folder, "*") {
			return folder, true
		}
	}
	return path.Join(path.Dir(p.Main), dropInFolder), false
}

func pattern(folder string) string { return path.Join(folder, "*.toml") }

// edit sets the value in the file that holds the table.
func (p planner) edit() (Plan, error) {
	name := p.Main
	if p.config.Holder != "" {
		name = p.config.Holder
	}
	before, err := p.read(name)
	if err != nil {
		return Plan{}, err
	}
	after, err := withString(before, old, p.CertsDirectory)
	if err != nil {
		return Plan{}, p.unedited(name, err)
	}
	plan := Plan{Changes: []Change{{Name: name, Before: before, After: after}}, Trial: []Change{{Name: name + trialSuffix, After: after}}}
	if name == p.Main {
		return plan, nil
	}
	main, err := p.read(p.Main)
	if err != nil {
		return Plan{}, err
	}
	tried, err := withImport(main, name+trialSuffix)
	if err != nil {
		return Plan{}, p.unedited(p.Main, err)
	}
	plan.Trial = append(plan.Trial, Change{Name: p.Main + trialSuffix, After: tried})
	return plan, nil
}

func (p planner) unedited(name string, err error) error {
	return declined("%s is not edited: %v. Set registry.config_path to %q by hand", name, err, p.CertsDirectory)
}

// checkNames declines where a pattern would import what lies beside a configuration file.
func (p planner) checkNames(plan Plan) error {
	for _, change := range slices.Concat(plan.Changes, plan.Trial) {
		for _, i := range p.config.Imports {
			for _, name := range []string{change.Name + BackupSuffix, change.Name + TemporarySuffix, change.Name + trialSuffix} {
				if matches, err := path.Match(i.Pattern, name); err != nil || matches {
					return declined("%s imports %s, which is every file there and not those that end in .toml alone. Change that, or set registry.config_path to %q by hand",
						i.By, i.Pattern, p.CertsDirectory)
				}
			}
		}
	}
	return nil
}

// read is a file's content, nil where there is none. A link is somebody's who keeps the file elsewhere.
func (p planner) read(name string) ([]byte, error) {
	inFS := strings.TrimPrefix(name, "/")
	info, err := fs.Lstat(p.Host, inFS)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, declined("%s is no file but a link, or the like: who made it writes containerd's configuration. Have them set registry.config_path to %q",
			name, p.CertsDirectory)
	}
	return fs.ReadFile(p.Host, inFS)
}

// done finds what an earlier remedy did and nobody has changed since.
func (p planner) done() ([]Change, error) {
	var changes []Change
	folder, _ := p.imported()
	for _, name := range slices.Concat([]string{path.Join(folder, dropInFile)}, p.config.Files) {
		now, err := p.read(name)
		if _, isLink := errors.AsType[*DeclinedError](err); isLink || now == nil {
			continue
		}
		if err != nil {
			return nil, err
		}
		if bytes.HasPrefix(now, []byte(mark)) && !slices.ContainsFunc(changes, func(c Change) bool { return c.Name == name }) {
			changes = append(changes, Change{Name: name, After: now})
			continue
		}
		before, err := p.read(name + BackupSuffix)
		if err != nil {
			return nil, err
		}
		if before != nil && p.edited(before, now) {
			changes = append(changes, Change{Name: name, Before: before, After: now})
		}
	}
	return changes, nil
}

// edited says whether a file is one that a remedy edited.
func (p planner) edited(before, now []byte) bool {
	ours := path.Join(path.Dir(p.Main), dropInFolder)
	imported, errImport := withImport(before, pattern(ours))
	set, errSet := withString(before, old, p.CertsDirectory)
	return errImport == nil && bytes.Equal(imported, now) || errSet == nil && bytes.Equal(set, now)
}
