package runtime

import (
	"errors"
	"fmt"
	"maps"

	"github.com/pelletier/go-toml/v2"
)

// The plug-ins that hold what is said of registries.
const (
	// pluginCRI is that of containerd 1.x, and of a file of version 2.
	pluginCRI = "io.containerd.grpc.v1.cri"
	// pluginShort is its name in a file of version 1.
	pluginShort = "cri"
	// pluginImages is that of containerd 2.x.
	pluginImages = "io.containerd.cri.v1.images"
)

// table is a TOML table.
type table = map[string]any

// document is one configuration file.
type document struct {
	Version int      `toml:"version"`
	Imports []string `toml:"imports"`
	Plugins table    `toml:"plugins"`
}

// parse reads one file. What containerd would refuse for the type of a field that is not looked at here is not refused.
func parse(content []byte) (document, error) {
	var d document
	if err := toml.Unmarshal(content, &d); err != nil {
		if decode, ok := errors.AsType[*toml.DecodeError](err); ok {
			row, column := decode.Position()
			return d, fmt.Errorf("line %d, column %d: %w", row, column, err)
		}
		return d, err
	}
	if d.Plugins == nil {
		d.Plugins = table{}
	}
	return d, nil
}

// images is what one file says of images, as a release reads it, in a table like that of containerd 2.x.
func (d document) images(release Release) table {
	old := d.plugin(pluginCRI)
	if d.Version <= 1 && len(old) == 0 {
		old = d.plugin(pluginShort)
	}
	if !release.AtLeast(2, 0) {
		return old
	}
	images := d.plugin(pluginImages)
	if d.Version < formatOf(release) {
		images = migrated(images, old)
	}
	return images
}

// formatOf is the newest version of files that a release knows. Files of older ones are migrated.
func formatOf(release Release) int {
	if release.AtLeast(2, 3) {
		return 4
	}
	return 3
}

// migrated is what containerd 2.x makes of a file that speaks of the plug-in of 1.x, as far as it matters here.
func migrated(images, old table) table {
	images = maps.Clone(images)
	if images == nil {
		images = table{}
	}
	take := func(from table, keys ...string) {
		for _, key := range keys {
			if value, there := from[key]; there {
				images[key] = value
			}
		}
	}
	take(old, "registry", "max_concurrent_downloads", "image_pull_with_sync_fs")
	takeSandbox(images, old)
	if client := tableIn(old, "containerd"); client["runtimes"] != nil {
		take(client, "disable_snapshot_annotations", "discard_unpacked_layers")
	}
	return images
}

func (d document) plugin(name string) table { return tableIn(d.Plugins, name) }

// tableIn is the table under a key, nil where there is none.
func tableIn(t table, key string) table {
	inner, _ := t[key].(table)
	return inner
}

// merged is what two files say together. containerd 1.x has a plug-in's later table replace the earlier one, 2.x merges
// them key by key.
func merged(release Release, first, second table) table {
	switch {
	case second == nil:
		return first
	case first == nil || !release.AtLeast(2, 0):
		return second
	}
	all := maps.Clone(first)
	for key, value := range second {
		before, wasTable := all[key].(table)
		if now, isTable := value.(table); isTable && wasTable {
			value = merged(release, before, now)
		}
		all[key] = value
	}
	return all
}
