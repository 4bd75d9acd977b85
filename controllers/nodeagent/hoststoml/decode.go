package hoststoml

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// ErrForeign says that a file does not begin with our mark, so that somebody else wrote it.
var ErrForeign = errors.New("the file does not begin with RegistryHub's mark")

type document struct {
	// The keys in the root are the server's.
	table
	Server string           `toml:"server"`
	Host   map[string]table `toml:"host"`
}

type table struct {
	Capabilities []string   `toml:"capabilities"`
	DialTimeout  string     `toml:"dial_timeout"`
	CA           string     `toml:"ca"`
	Client       [][]string `toml:"client"`
}

// Decode reads a file that Encode wrote, and refuses any other: ErrForeign when the mark is missing.
func Decode(data []byte) (File, error) {
	hub, revision, ours := readMark(data)
	if !ours {
		return File{}, ErrForeign
	}
	var doc document
	if err := toml.NewDecoder(bytes.NewReader(data)).DisallowUnknownFields().Decode(&doc); err != nil {
		return File{}, fmt.Errorf("decoding hosts.toml of hub %q: %w", hub, err)
	}
	f := File{Hub: hub, Revision: revision, Server: doc.Server}
	urls := hostsInOrder(data)
	if len(urls) == 0 {
		urls, f.Inline = slices.Sorted(maps.Keys(doc.Host)), true
	}
	if len(urls) != len(doc.Host) {
		return File{}, fmt.Errorf("decoding hosts.toml of hub %q: it names mirrors in two ways", hub)
	}
	for _, url := range urls {
		mirror, err := doc.Host[url].mirror(url)
		if err != nil {
			return File{}, fmt.Errorf("decoding hosts.toml of hub %q: mirror %q: %w", hub, url, err)
		}
		f.Mirrors = append(f.Mirrors, mirror)
	}
	if err := errors.Join(f.validate(), f.checkServer(doc.table)); err != nil {
		return File{}, fmt.Errorf("decoding hosts.toml of hub %q: %w", hub, err)
	}
	return f, nil
}

func (t table) mirror(url string) (Mirror, error) {
	m := Mirror{URL: url, CA: t.CA, Referrers: slices.Contains(t.Capabilities, "referrers")}
	if !slices.Equal(t.Capabilities, m.capabilities()) {
		return Mirror{}, fmt.Errorf("capabilities are %q: want %q", t.Capabilities, m.capabilities())
	}
	timeout, err := time.ParseDuration(t.DialTimeout)
	if err != nil {
		return Mirror{}, fmt.Errorf("dial_timeout: %w", err)
	}
	m.DialTimeout = timeout
	switch {
	case len(t.Client) == 0:
		return m, nil
	case len(t.Client) > 1 || len(t.Client[0]) != 2:
		return Mirror{}, errors.New("client: want one pair of a certificate and its key")
	}
	m.ClientCertificate, m.ClientKey = t.Client[0][0], t.Client[0][1]
	return m, nil
}

// hostsInOrder are the keys of the host tables as the file has them, which a map would lose. It reads as
// containerd does (getSortedHosts in core/remotes/docker/config/hosts.go); data has been parsed before.
func hostsInOrder(data []byte) []string {
	var hosts []string
	parser := unstable.Parser{}
	parser.Reset(data)
	for parser.NextExpression() {
		expression := parser.Expression()
		if expression.Kind != unstable.Table {
			continue
		}
		if key := keyParts(expression.Key()); len(key) == 2 && key[0] == "host" {
			hosts = append(hosts, key[1])
		}
	}
	return hosts
}

func keyParts(key unstable.Iterator) []string {
	var parts []string
	for key.Next() {
		parts = append(parts, string(key.Node().Data))
	}
	return parts
}
