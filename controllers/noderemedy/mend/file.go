package mend

import (
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
)

// mark begins every file that is ours alone.
const mark = "# Written by RegistryHub"

var (
	// old is the key in files of version 2.
	old = []string{"plugins", "io.containerd.grpc.v1.cri", "registry", "config_path"}
	// images is the table of what pulls in containerd 2.x, in files of version 3 and later.
	images = []string{"plugins", "io.containerd.cri.v1.images"}
)

// file is a file of ours with one key.
func (p planner) file(version int, key []string) []byte {
	value := strconv.Quote(p.CertsDirectory)
	if key[len(key)-1] == keyLocalPull {
		value = "true"
	}
	return fmt.Appendf(nil, "%s, so that containerd reads the hosts.toml files in %s.\nversion = %d\n\n[%s]\n  %s = %s\n",
		mark, p.CertsDirectory, version, header(key[:len(key)-1]), key[len(key)-1], value)
}

const keyLocalPull = "use_local_image_pull"

// table is the key of containerd 2.x that is set. A list with other folders that hold something is kept, and read by the plug-in
// itself, as whoever put something there expects. Otherwise the list becomes one folder, which keeps the way of pulling.
func (p planner) table() []string {
	for _, root := range p.config.Roots() {
		if root != p.CertsDirectory && p.holdsHosts(root) {
			return append(images[:len(images):len(images)], keyLocalPull)
		}
	}
	return append(images[:len(images):len(images)], "registry", "config_path")
}

// holdsHosts says whether a folder has a folder in it. One that cannot be read may have.
func (p planner) holdsHosts(root string) bool {
	entries, err := fs.ReadDir(p.Host, strings.TrimPrefix(root, "/"))
	for _, entry := range entries {
		if entry.IsDir() || entry.Type()&fs.ModeSymlink != 0 {
			return true
		}
	}
	return err != nil && !errors.Is(err, fs.ErrNotExist)
}
