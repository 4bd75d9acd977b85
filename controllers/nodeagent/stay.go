package nodeagent

import (
	"bytes"

	"github.com/registryhub/registryhub/controllers/nodeagent/certsd"
	"github.com/registryhub/registryhub/controllers/nodeagent/hoststoml"
)

// layBeside gives the hosts of hubs that stay their TLS files in their own directories, which a reboot leaves. TLS files that
// lie there already stay for one more pass: containerd may just have read what names them.
func (w wiring) layBeside(path func(host string) string, held func(host string) certsd.Files) {
	for host, file := range w.stay {
		files := certsd.Files{}
		file, err := withItsFiles(file, path(host), files)
		if err == nil {
			files[hostsFile], err = hoststoml.Encode(file)
		}
		if err != nil {
			delete(w.files, host)
			w.refused[host] = err
			continue
		}
		keepReadable(files, held(host))
		w.files[host] = files
	}
}

func keepReadable(files, held certsd.Files) {
	if bytes.Equal(files[hostsFile], held[hostsFile]) {
		return
	}
	for name, data := range held {
		if _, there := files[name]; !there {
			files[name] = data
		}
	}
}

// keepStaying leaves in force what is held of hubs that stay and whose files cannot be made now, such as while the nodes' client
// certificate has not reached an agent that starts: without them pulls would go to the upstream.
func (w wiring) keepStaying(files map[string]certsd.Files, held func(host string) certsd.Files) {
	for host := range w.refused {
		hub := w.entries[w.hubs[host]]
		if !hub.Stays() {
			continue
		}
		if kept := held(host); leadsTo(kept, hub.Name) && hasNoUpstream(kept) {
			files[host] = kept
		}
	}
}

func hasNoUpstream(files certsd.Files) bool {
	file, err := hoststoml.Decode(files[hostsFile])
	return err == nil && file.Server != ""
}

// lasting are the hosts whose files a reboot must leave.
func (w wiring) lasting(files map[string]certsd.Files) []string {
	var hosts []string
	for host := range files {
		if w.entries[w.hubs[host]].Stays() {
			hosts = append(hosts, host)
		}
	}
	return hosts
}
