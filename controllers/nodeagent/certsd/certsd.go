// Package certsd keeps our hosts in containerd's certs directory (its config_path) so that the directory of every
// host is whole at any moment: whatever step the agent, or the machine, stops at, containerd reads the old files
// of a host or the new ones.
//
// The files of a host lie in the run directory, which a reboot empties, as <generation>/<host>/hosts.toml. The host's
// entry in the certs directory is a symbolic link to that folder, and one rename swaps it. What a link pointed to
// before stays until the next pass, for a containerd that is reading it. After a reboot the link dangles, which
// containerd takes as "no mirror" until the agent is back.
//
// Ours is what is such a link. Everything else in the certs directory is somebody else's and is never touched, but for the
// directories of hosts that adopt them: those are exchanged for a link of ours in one step, and kept beside. The files of such
// a host lie in the certs directory itself, so that after a reboot it has what it had before us, behind the hub. So do those of
// lasting hosts, which have no upstream to be pulled from instead.
package certsd

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
)

// Files are the files of one host's directory: name -> content.
type Files map[string][]byte

// Directory is the certs directory of a node with the run directory that its links lead to.
type Directory struct {
	certs, run string
	disk       disk
}

// New is the Directory with these two folders, both absolute paths as containerd sees them. They are made when they
// are missing.
func New(certsDirectory, runDirectory string) *Directory {
	return &Directory{certs: filepath.Clean(certsDirectory), run: filepath.Clean(runDirectory), disk: realDisk{}}
}

// Path is where containerd finds what is wired of a host.
func (d *Directory) Path(host string) string { return filepath.Join(d.certs, Names(host)[0]) }

// Result says what a pass did. Names are sorted.
type Result struct {
	// Written are the hosts that have new files.
	Written []string
	// Withdrawn are the directories of hosts that are no longer ours to wire.
	Withdrawn []string
	// Failed are the hosts that are not wired as wanted: a *ForeignError, or what the file system said. A host
	// that could not be written keeps what it had.
	Failed map[string]error
	// Theirs are the directories in the certs directory that somebody else made, by host; nil without any.
	Theirs map[string]string
	// Unswept is why old generations are still there. It harms nothing but space, and is tried again.
	Unswept error
}

// Reconcile makes the certs directory lead exactly the desired hosts to their files. It writes nothing when all is
// as wanted. The error is what concerns no single desired host: after it, what is no longer wanted may still be in
// force.
func (d *Directory) Reconcile(desired Desired) (Result, error) {
	result := Result{Failed: map[string]error{}}
	p, err := d.begin()
	if err != nil {
		for host := range desired.Hosts {
			result.Failed[host] = err
		}
		return result, err
	}
	defer p.end()

	result.Unswept = p.sweep()
	kept, err := p.originals()
	wanted := p.sortOut(desired.Hosts, desired.Adopt, kept, result.Failed)
	p.makeLast(wanted, desired.Lasting, result.Failed)
	p.shelter(desired.Elsewhere, wanted)
	given, failed := p.giveBack(kept, wanted)
	withdrawn, unwithdrawn := p.withdraw(wanted, without(kept, given))
	result.Withdrawn = slices.Sorted(slices.Values(append(given, withdrawn...)))
	result.Written = p.placeAll(wanted, desired.Elsewhere, result.Failed)
	result.Theirs = p.theirs()
	result.Unswept = errors.Join(result.Unswept, p.tidy(without(kept, given)))
	return result, errors.Join(err, failed, unwithdrawn, p.settle())
}

// directories that hosts are wired in.
func directories(wanted map[string]placing) map[string]bool {
	names := map[string]bool{}
	for host := range wanted {
		names[Names(host)[0]] = true
	}
	return names
}

func without(all, some []string) []string {
	return slices.DeleteFunc(slices.Clone(all), func(one string) bool { return slices.Contains(some, one) })
}

// Restore removes every link of ours, puts back what was adopted, and then removes the files that the links led to: the
// node is as it was without us.
func (d *Directory) Restore() error {
	p, err := d.begin()
	if err != nil {
		return err
	}
	defer p.end()
	kept, err := p.originals()
	given, failed := p.giveBack(kept, nil)
	if _, unwithdrawn := p.withdraw(nil, without(kept, given)); errors.Join(err, failed, unwithdrawn) != nil {
		return errors.Join(err, failed, unwithdrawn)
	}
	if err := p.settle(); err != nil {
		return err
	}
	if err := p.sweep(); err != nil {
		return err
	}
	return p.tidy(without(kept, given))
}

// sortOut finds what each desired host is to have that is ours to wire. The others go to failed.
func (p *pass) sortOut(desired map[string]Files, adopt map[string]Adopt, kept []string, failed map[string]error) map[string]placing {
	wanted := map[string]placing{}
	for host, files := range desired {
		place, err := p.sortOutOne(host, files, adopt[host], kept)
		if err != nil {
			failed[host] = err
			continue
		}
		wanted[host] = place
	}
	return wanted
}

func (p *pass) sortOutOne(host string, files Files, adopt Adopt, kept []string) (placing, error) {
	if err := checkNames(host, files); err != nil {
		return placing{}, err
	}
	if adopt != nil {
		if place, err := p.adopt(host, adopt, kept); place != nil || err != nil {
			return *cmp.Or(place, &placing{}), err
		}
	}
	if name := Names(host)[0]; adopt == nil && slices.Contains(kept, name) {
		return placing{}, p.foreignAs(host, name, "a directory") // which it is again when this pass has ended
	}
	return placing{files: files, on: p.run}, p.foreign(host)
}

// foreign is the error of the first spelling of a host that is somebody else's. Both count: ours would hide theirs,
// or theirs ours.
func (p *pass) foreign(host string) error {
	for _, name := range Names(host) {
		if found, there := p.entries[name]; there && !found.ours() {
			return p.foreignAs(host, name, found.what)
		}
	}
	return nil
}

func (p *pass) foreignAs(host, name, what string) error {
	return &ForeignError{Host: host, Path: filepath.Join(p.certs.Name(), name), What: what}
}

// withdraw removes the links of ours that are not wanted: hosts that were taken back, spellings that we do not use,
// and a link that a stopped agent did not come to rename. What could not be given back stays adopted.
func (p *pass) withdraw(wanted map[string]placing, kept []string) ([]string, error) {
	keep := directories(wanted)
	for _, name := range kept {
		keep[name] = true
	}
	var withdrawn []string
	var errs []error
	for _, name := range defaultFirst(slices.Sorted(maps.Keys(p.entries))) {
		if keep[name] || !p.entries[name].ours() {
			continue
		}
		if err := p.unlink(name); err != nil {
			errs = append(errs, err)
			if name == defaultName {
				break // it would hide what others' links lead to
			}
			continue
		}
		if name != temporaryName {
			withdrawn = append(withdrawn, name)
		}
	}
	return withdrawn, errors.Join(errs...)
}

func (p *pass) unlink(name string) error {
	if err := p.disk.Remove(p.certs, name); err != nil {
		return fmt.Errorf("withdrawing %s from %s: %w", name, p.certs.Name(), err)
	}
	delete(p.entries, name)
	p.changed = true
	return nil
}
