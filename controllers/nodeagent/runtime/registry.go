package runtime

import "slices"

// config is what the files come to.
func (r *reader) config() Config {
	registry := tableIn(r.images, "registry")
	r.result.ConfigPath, _ = registry["config_path"].(string)
	r.result.Mirrors = holdsAny(registry, "mirrors")
	if r.result.ConfigPath == "" && !r.result.Mirrors && r.release.AtLeast(2, 2) {
		r.result.ConfigPath = defaultConfigPath
	}
	r.result.SandboxImage = r.sandboxImage()
	r.result.ClientTLS = hasTLS(tableIn(registry, "configs"))
	r.result.LocalPull = !r.release.AtLeast(2, 1) || r.pullsLocally()
	return r.result
}

// defaultDownloads is containerd's max_concurrent_downloads.
const defaultDownloads = 3

// pullsLocally says whether containerd 2.1 and later leaves the transfer service alone: when told to, and when it finds
// an option that the service does not have (CheckLocalImagePullConfigs in containerd's internal/cri/config).
func (r *reader) pullsLocally() bool {
	registry := tableIn(r.images, "registry")
	return r.is("use_local_image_pull", true) ||
		r.is("disable_snapshot_annotations", false) ||
		r.is("discard_unpacked_layers", true) ||
		r.is("image_pull_with_sync_fs", true) ||
		holdsAny(registry, "mirrors") || holdsAny(registry, "configs") || holdsAny(registry, "auths") ||
		r.downloads() != defaultDownloads
}

func (r *reader) is(key string, value bool) bool {
	set, there := r.images[key].(bool)
	return there && set == value
}

func (r *reader) downloads() int64 {
	if n, there := r.images["max_concurrent_downloads"].(int64); there {
		return n
	}
	return defaultDownloads
}

func holdsAny(t table, key string) bool { return len(tableIn(t, key)) > 0 }

// hasTLS says whether one of the legacy configs, by host, has TLS settings.
func hasTLS(configs table) bool {
	for host := range configs {
		if tableIn(configs, host)["tls"] != nil {
			return true
		}
	}
	return false
}

// Reads says whether containerd of a release reads the hosts.toml files below a directory when it pulls, with this
// configuration.
func (c Config) Reads(directory string, release Release) bool {
	roots := c.Roots()
	refused := c.Mirrors || c.ClientTLS && !release.AtLeast(2, 0)
	return !refused && slices.Contains(roots, directory) && (c.LocalPull || len(roots) == 1)
}
