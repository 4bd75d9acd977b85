package nodeagent

import (
	"strings"

	"github.com/registryhub/registryhub/controllers/nodeagent/hoststoml"
	"github.com/registryhub/registryhub/controllers/nodeagent/runtime"
)

// syntax is what the node's runtime understands in a hosts.toml. The zero one is understood by every containerd, but for
// IPv6 addresses, which are for 2.x then.
type syntax struct {
	// referrers among the capabilities.
	referrers bool
	// old is that of containerd 1.x, which knows IPv6 addresses in a line's table alone.
	old bool
}

// syntaxOf reads a version as a Node tells it, such as "containerd://2.1.5-k3s1".
func syntaxOf(version string) syntax {
	name, version, _ := strings.Cut(version, "://")
	release, err := runtime.ParseRelease(version)
	if name != "containerd" || err != nil {
		return syntax{}
	}
	return syntax{referrers: release.AtLeast(2, 2), old: !release.AtLeast(2, 0)}
}

// write has a file written in it.
func (s syntax) write(file hoststoml.File) hoststoml.File {
	for i := range file.Mirrors {
		file.Mirrors[i].Referrers = s.referrers
		file.Inline = file.Inline || s.old && strings.Contains(file.Mirrors[i].URL, "[")
	}
	return file
}
