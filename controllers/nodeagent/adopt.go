package nodeagent

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/registryhub/registryhub/controllers/nodeagent/certsd"
	"github.com/registryhub/registryhub/controllers/nodeagent/hoststoml"
)

// hostsFile is what containerd reads in a host's directory.
const hostsFile = "hosts.toml"

// adopters say of the hosts that may have somebody else's files behind the hub how that is done.
func (k *keeper) adopters(w wiring) map[string]certsd.Adopt {
	adopt := map[string]certsd.Adopt{}
	for host, file := range w.adopt {
		adopt[host] = behind(file, k.files.Path(host))
	}
	return adopt
}

// behind has what somebody else wrote for a host stand behind the hub. Their other files stay beside, under the names by which
// theirs names them. Where there is no hosts.toml the names of the files say whom to trust.
func behind(ours hoststoml.File, directory string) certsd.Adopt {
	return func(theirs certsd.Files) (certsd.Files, error) {
		text, there := theirs[hostsFile]
		if !there {
			text = hoststoml.Trust(slices.Collect(maps.Keys(theirs)))
		}
		files := maps.Clone(theirs)
		file, err := withItsFiles(ours, directory, files)
		if err != nil {
			return nil, err
		}
		files[hostsFile], err = hoststoml.Adopt(file, text)
		return files, err
	}
}

// withItsFiles is a file that names its TLS files in its own directory, where it puts copies of them: those in the run directory
// are gone after a reboot, which the directory of an adopting host outlives, and a missing file fails every pull.
func withItsFiles(file hoststoml.File, directory string, files certsd.Files) (hoststoml.File, error) {
	file.Mirrors = slices.Clone(file.Mirrors)
	for i := range file.Mirrors {
		m := &file.Mirrors[i]
		for _, path := range []*string{&m.CA, &m.ClientCertificate, &m.ClientKey} {
			if *path == "" {
				continue
			}
			data, err := os.ReadFile(*path)
			if err != nil {
				return file, fmt.Errorf("copying the hub's TLS files: %w", err)
			}
			name := filepath.Base(*path)
			files[name], *path = data, filepath.Join(directory, name)
		}
	}
	return file, nil
}
