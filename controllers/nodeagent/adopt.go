package nodeagent

import (
	"maps"
	"slices"

	"github.com/registryhub/registryhub/controllers/nodeagent/certsd"
	"github.com/registryhub/registryhub/controllers/nodeagent/hoststoml"
)

// hostsFile is what containerd reads in a host's directory.
const hostsFile = "hosts.toml"

// behind has what somebody else wrote for a host stand behind the hub. Their other files stay beside, under the names by which
// theirs names them. Where there is no hosts.toml the names of the files say whom to trust.
func behind(ours hoststoml.File) certsd.Adopt {
	return func(theirs certsd.Files) (certsd.Files, error) {
		text, there := theirs[hostsFile]
		if !there {
			text = hoststoml.Trust(slices.Collect(maps.Keys(theirs)))
		}
		adopted, err := hoststoml.Adopt(ours, text)
		if err != nil {
			return nil, err
		}
		files := maps.Clone(theirs)
		files[hostsFile] = adopted
		return files, nil
	}
}
