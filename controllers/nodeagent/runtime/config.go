package runtime

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"strings"
	"time"
)

// Config is what containerd makes of its files, as far as registries are concerned.
type Config struct {
	// Files that were read, the first one first. None: containerd runs on its defaults.
	Files []string
	// Changed is when the latest of them was written.
	Changed time.Time
	// ConfigPath is where hosts.toml files are looked for, as it is in force: unset is "" up to 2.1, and a list from 2.2.
	ConfigPath string
	// Mirrors says that the legacy `mirrors` are there, which stand in the place of hosts.toml files.
	Mirrors bool
	// SandboxImage is the image that every Pod begins with. Unset it is that of the release: the registry is the same in all,
	// the tag is not told.
	SandboxImage string
	// LocalPull says that images are pulled by the CRI plug-in itself, as ever before 2.1, and not by the transfer service.
	LocalPull bool
	// ClientTLS says that a legacy `configs` has TLS settings, beside which containerd 1.x loads its CRI plug-in with no
	// config_path.
	ClientTLS bool
	// Holder is the last of Files that speaks of the plug-in that pulls, by its name in 1.x: there that file's table
	// stands for all others. "": none does.
	Holder string
	// Imports are the patterns that the files import by, absolute, in the order in which they are read.
	Imports []Import
}

// Import is a pattern, with a *, of files that a file imports.
type Import struct {
	// By is the file that has it.
	By string
	// Pattern is absolute, as path.Match takes it.
	Pattern string
}

// defaultConfigPath is that of containerd 2.2 and later.
const defaultConfigPath = "/etc/containerd/certs.d:/etc/docker/certs.d"

// Roots are the directories of ConfigPath.
func (c Config) Roots() []string { return filepath.SplitList(c.ConfigPath) }

// maxFile bounds a file, and maxFiles how many are imported: more is no configuration of containerd's.
const (
	maxFile  = 1 << 20
	maxFiles = 256
)

// Read reads the first of the files that is there, and what it imports, as a release of containerd does. The files' names
// are absolute; host is the node's root. Where none is there, the defaults of the release are what there is.
func Read(host fs.FS, files []string, release Release) (Config, error) {
	file, err := firstOf(host, files)
	if err != nil {
		return Config{}, err
	}
	r := reader{host: host, release: release, loaded: map[string]bool{}}
	if file != "" {
		r.pending = []string{file}
	}
	for len(r.pending) > 0 && err == nil {
		file, r.pending = r.pending[0], r.pending[1:]
		err = r.load(file)
	}
	if err != nil {
		return Config{}, fmt.Errorf("reading containerd's configuration: %w", err)
	}
	return r.config(), nil
}

// ReadDump reads what `containerd config dump` prints: the whole of a configuration, in one file.
func ReadDump(dump []byte, release Release) (Config, error) {
	d, err := parse(dump)
	if err != nil {
		return Config{}, fmt.Errorf("reading containerd's dump of its configuration: %w", err)
	}
	r := reader{release: release, images: d.images(release)}
	return r.config(), nil
}

func firstOf(host fs.FS, files []string) (string, error) {
	for _, file := range files {
		switch _, err := fs.Stat(host, inFS(file)); {
		case err == nil:
			return file, nil
		case !errors.Is(err, fs.ErrNotExist):
			return "", fmt.Errorf("looking for containerd's configuration: %w", err)
		}
	}
	return "", nil
}

// reader follows the imports, in the order in which containerd does: those of a file behind all that were named before.
type reader struct {
	host    fs.FS
	release Release
	pending []string
	loaded  map[string]bool
	result  Config
	images  table
}

func (r *reader) load(file string) error {
	if r.loaded[file] {
		return nil
	}
	if len(r.loaded) == maxFiles {
		return fmt.Errorf("more than %d files are imported", maxFiles)
	}
	r.loaded[file] = true
	content, changed, err := r.read(file)
	if err != nil {
		return err
	}
	d, err := parse(content)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	r.result.Files = append(r.result.Files, file)
	if changed.After(r.result.Changed) {
		r.result.Changed = changed
	}
	r.images = merged(r.release, r.images, d.images(r.release))
	if d.plugin(pluginCRI) != nil {
		r.result.Holder = file
	}
	imports, err := r.resolve(file, d.Imports)
	r.pending = append(r.pending, imports...)
	return err
}

func (r *reader) read(file string) ([]byte, time.Time, error) {
	info, err := fs.Stat(r.host, inFS(file))
	if err != nil {
		return nil, time.Time{}, err
	}
	if info.Size() > maxFile {
		return nil, time.Time{}, fmt.Errorf("%s has %d bytes, more than %d", file, info.Size(), maxFile)
	}
	content, err := fs.ReadFile(r.host, inFS(file))
	return content, info.ModTime(), err
}

// resolve makes the imports of a file absolute. A pattern that matches nothing is nothing; a file that is missing is an
// error, to containerd too.
func (r *reader) resolve(file string, imports []string) ([]string, error) {
	var all []string
	for _, name := range imports {
		if name = path.Clean(name); !path.IsAbs(name) {
			name = path.Join(r.relativeTo(file, name), name)
		}
		if !strings.Contains(name, "*") {
			all = append(all, name)
			continue
		}
		r.result.Imports = append(r.result.Imports, Import{By: file, Pattern: name})
		matches, err := fs.Glob(r.host, inFS(name))
		if err != nil {
			return nil, fmt.Errorf("%s: imports %q: %w", file, name, err)
		}
		for _, match := range matches {
			all = append(all, "/"+match)
		}
	}
	return all, nil
}

// relativeTo is the folder that a name is relative to: that of the file. To containerd before 1.7 a pattern is relative to
// the working directory, which is the root where systemd starts it.
func (r *reader) relativeTo(file, name string) string {
	if strings.Contains(name, "*") && !r.release.AtLeast(1, 7) {
		return "/"
	}
	return path.Dir(file)
}

// inFS is an absolute path as io/fs names it.
func inFS(name string) string {
	if name = strings.TrimPrefix(path.Clean(name), "/"); name == "" {
		return "."
	}
	return name
}
