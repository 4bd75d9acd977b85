package certsd

import (
	"fmt"
	"strings"
)

// temporaryName is the link that is made first and then renamed over a host's. containerd cannot look it up: a '#'
// ends the host of a reference, which containerd parses as a URL (pkg/reference). One is enough, since one agent at a
// time holds the lock.
const temporaryName = ".registryhub#swap"

// theirsName is the folder that originals of hosts are kept in which have adopted them, as the directories that they were;
// lastingName is the shelf of such hosts, which a reboot must leave: the node had theirs before us, and needs it before the
// agent is back.
const (
	theirsName  = ".registryhub#theirs"
	lastingName = ".registryhub#hosts"
)

// Names are the directories that containerd looks for a host in, in its order (hostPaths in
// core/remotes/docker/config): host_port_ before host:port. The first is the one we write, so that nothing of the
// host's can stand before it. What containerd takes for a port is all after the last colon, so that [fd00::1] is
// first looked for as "[fd00:_1]_". AnyHost has one.
func Names(host string) []string {
	if host == AnyHost {
		return []string{defaultName}
	}
	at := strings.LastIndex(host, ":")
	if at <= 0 {
		return []string{host}
	}
	return []string{host[:at] + "_" + host[at+1:] + "_", host}
}

// checkNames holds that neither the host nor a file can name a place outside its folder.
func checkNames(host string, files Files) error {
	if !isName(host) {
		return fmt.Errorf("host %q cannot be the name of a directory", host)
	}
	for name := range files {
		if !isName(name) {
			return fmt.Errorf("host %q: %q cannot be the name of a file", host, name)
		}
	}
	return nil
}

func isName(name string) bool {
	return name != "" && name != "." && name != ".." && !strings.ContainsAny(name, "/\\#\x00")
}
