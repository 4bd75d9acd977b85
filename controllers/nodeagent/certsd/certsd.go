// Package certsd keeps our hosts in containerd's certs directory (its config_path) so that the directory of every
// host is whole at any moment: whatever step the agent, or the machine, stops at, containerd reads the old files
// of a host or the new ones.
//
// The files of a host lie in the run directory, which a reboot empties, as <generation>/<host>/hosts.toml. The host's
// entry in the certs directory is a symbolic link to that folder, and one rename swaps it. What a link pointed to
// before stays until the next pass, for a containerd that is reading it. After a reboot the link dangles, which
// containerd takes as "no mirror" until the agent is back.
//
// Ours is what is such a link. Everything else in the certs directory is somebody else's and is never touched.
package certsd

import (
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

// Result says what a pass did. Names are sorted.
type Result struct {
	// Written are the hosts that have new files.
	Written []string
	// Withdrawn are the directories of hosts that are no longer ours to wire.
	Withdrawn []string
	// Failed are the hosts that are not wired as wanted: a *ForeignError, or what the file system said. A host
	// that could not be written keeps what it had.
	Failed map[string]error
	// Unswept is why old generations are still there. It harms nothing but space, and is tried again.
	Unswept error
}

// Reconcile makes the certs directory lead exactly the desired hosts to their files. It writes nothing when all is
// as wanted. The error is what concerns no single desired host: after it, what is no longer wanted may still be in
// force.
func (d *Directory) Reconcile(desired map[string]Files) (Result, error) {
	result := Result{Failed: map[string]error{}}
	p, err := d.begin()
	if err != nil {
		for host := range desired {
			result.Failed[host] = err
		}
		return result, err
	}
	defer p.end()

	result.Unswept = p.sweep()
	ours := p.sortOut(desired, result.Failed)
	result.Withdrawn, err = p.withdraw(ours)
	for _, host := range slices.Sorted(maps.Values(ours)) {
		written, err := p.place(host, desired[host])
		if written {
			result.Written = append(result.Written, host)
		}
		if err != nil {
			result.Failed[host] = err
		}
	}
	return result, errors.Join(err, p.settle())
}

// Restore removes every link of ours, and then the files that they led to: the node is as it was without us.
func (d *Directory) Restore() error {
	p, err := d.begin()
	if err != nil {
		return err
	}
	defer p.end()
	if _, err = p.withdraw(nil); err != nil {
		return err
	}
	if err := p.settle(); err != nil {
		return err
	}
	return p.sweep()
}

// sortOut finds the directory to write for each desired host that is ours to wire: directory -> host. The others go
// to failed.
func (p *pass) sortOut(desired map[string]Files, failed map[string]error) map[string]string {
	ours := map[string]string{}
	for host, files := range desired {
		err := errors.Join(checkNames(host, files), p.foreign(host))
		if err != nil {
			failed[host] = err
			continue
		}
		ours[Names(host)[0]] = host
	}
	return ours
}

// foreign is the error of the first spelling of a host that is somebody else's. Both count: ours would hide theirs,
// or theirs ours.
func (p *pass) foreign(host string) error {
	for _, name := range Names(host) {
		if found, there := p.entries[name]; there && !found.ours() {
			return &ForeignError{Host: host, Path: filepath.Join(p.certs.Name(), name), What: found.what}
		}
	}
	return nil
}

// withdraw removes the links of ours that are not wanted: hosts that were taken back, spellings that we do not use,
// and a link that a stopped agent did not come to rename.
func (p *pass) withdraw(wanted map[string]string) ([]string, error) {
	var withdrawn []string
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(p.entries)) {
		if _, keep := wanted[name]; keep || !p.entries[name].ours() {
			continue
		}
		if err := p.disk.Remove(p.certs, name); err != nil {
			errs = append(errs, fmt.Errorf("withdrawing %s from %s: %w", name, p.certs.Name(), err))
			continue
		}
		delete(p.entries, name)
		p.changed = true
		if name != temporaryName {
			withdrawn = append(withdrawn, name)
		}
	}
	return withdrawn, errors.Join(errs...)
}
