package nodeagent

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/controllers/nodeagent/certsd"
	"github.com/registryhub/registryhub/controllers/nodeagent/runtime"
)

// laterRoots are the directories in which the node's runtime looks for a host after the certs directory, when that has
// nothing for it: not even `_default`.
type laterRoots struct {
	// host is the node's root, as far as the agent has it. nil: there are none.
	host  fs.FS
	certs string
	// config are the files that the runtime may be configured by.
	config []string
}

func newLaterRoots(options Options) laterRoots {
	return laterRoots{
		host: os.DirFS("/"), certs: options.CertsDirectory,
		config: configv1alpha1.RuntimeLayoutOf(options.CertsDirectory).ConfigFiles,
	}
}

// releases between which it matters what a configuration says of the directories. Which one the node has need not be known: to
// take a directory for one that is looked in costs its hosts the hub, to overlook one costs them their certificates.
var releases = []runtime.Release{{Major: 1, Minor: 6}, {Major: 1, Minor: 7}, {Major: 2, Minor: 1}, {Major: 2, Minor: 2}, {Major: 2, Minor: 3}}

// hosts are the hosts that have a directory in a later root, and where: of two the first. Where that cannot be found out, or
// a later root has a directory for every other host, the error says so.
func (r laterRoots) hosts() (map[string]string, error) {
	if r.host == nil {
		return nil, nil
	}
	roots, err := r.directories()
	if err != nil {
		return nil, &unknownRootsError{err: err}
	}
	found := map[string]string{}
	for _, root := range roots {
		if err := r.look(root, found); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// directories are those that any release would look in.
func (r laterRoots) directories() ([]string, error) {
	var all []string
	for _, release := range releases {
		config, err := runtime.Read(r.host, r.config, release)
		if err != nil {
			return nil, err
		}
		roots := config.Roots()
		own := slices.IndexFunc(roots, func(root string) bool { return path.Clean(root) == r.certs })
		for _, root := range roots[own+1:] {
			if own >= 0 && !slices.Contains(all, path.Clean(root)) {
				all = append(all, path.Clean(root))
			}
		}
	}
	return all, nil
}

// look adds what lies in a root. Of two spellings of one host containerd takes the one with underscores.
func (r laterRoots) look(root string, found map[string]string) error {
	listed, err := fs.ReadDir(r.host, strings.TrimPrefix(root, "/"))
	if err != nil {
		return &unknownRootsError{err: fmt.Errorf("its config_path names %s, which the agent cannot read: %w", root, err)}
	}
	here := map[string]string{}
	for _, entry := range listed {
		directory := path.Join(root, entry.Name())
		switch {
		case !entry.IsDir() && entry.Type()&fs.ModeSymlink == 0:
		case certsd.Names(configv1alpha1.AnyHost)[0] == entry.Name():
			return &certsd.ForeignError{Host: configv1alpha1.AnyHost, Path: directory, What: "a directory"}
		case here[certsd.HostOf(entry.Name())] == "" || strings.HasSuffix(entry.Name(), "_"):
			here[certsd.HostOf(entry.Name())] = directory
		}
	}
	for host, directory := range here {
		if found[host] == "" {
			found[host] = directory
		}
	}
	return nil
}

// unknownRootsError says that it is not known what a directory for every other host would hide.
type unknownRootsError struct{ err error }

// Error says what to do about it.
func (e *unknownRootsError) Error() string {
	return fmt.Sprintf("the hub for every other host is not wired on this node, since it is not known which hosts of the runtime's own it would hide: %v. "+
		"Set config_path to the certs directory alone, or to that and /etc/docker/certs.d", e.err)
}

// Unwrap gives the cause.
func (e *unknownRootsError) Unwrap() error { return e.err }
