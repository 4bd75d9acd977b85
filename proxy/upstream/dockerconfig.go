package upstream

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"

	"github.com/registryhub/registryhub/proxy/distspec"
	"github.com/registryhub/registryhub/proxy/secretfile"
)

// dockerConfig is what is read of docker's config.json. An entry is decoded only when it is the one that is wanted,
// so that a malformed one for another registry does no harm.
type dockerConfig struct {
	Auths       map[string]json.RawMessage `json:"auths"`
	CredsStore  string                     `json:"credsStore"`
	CredHelpers map[string]string          `json:"credHelpers"`
}

// dockerHub are the hosts that mean Docker Hub; docker itself writes https://index.docker.io/v1/.
var dockerHub = []string{"docker.io", "index.docker.io", "registry-1.docker.io"}

// fromDockerConfig reads the entry for the upstream. No entry means anonymous, as it does for docker, unless a
// credential helper, which the proxy cannot run, is what holds it.
func fromDockerConfig(file string, base distspec.Base) (authn.AuthConfig, error) {
	content, err := secretfile.Read(file)
	if err != nil {
		return authn.AuthConfig{}, err
	}
	var parsed dockerConfig
	// The decoder's own error would quote the file.
	if json.Unmarshal(content, &parsed) != nil {
		return authn.AuthConfig{}, &secretfile.Error{File: file, Problem: `is not docker's config.json: write {"auths": {...}}`}
	}
	var found authn.AuthConfig
	if key := bestKey(parsed.Auths, base); key != "" {
		if json.Unmarshal(parsed.Auths[key], &found) != nil {
			return authn.AuthConfig{}, &secretfile.Error{File: file, Problem: fmt.Sprintf("its entry %q is malformed: auth is base64 of user:password", key)}
		}
	}
	if found == (authn.AuthConfig{}) {
		return found, parsed.checkHelpers(file, base)
	}
	return found, nil
}

func (c dockerConfig) checkHelpers(file string, base distspec.Base) error {
	helper := c.CredsStore
	for key, name := range c.CredHelpers {
		if rankKey(key, base) >= 0 {
			helper = name
		}
	}
	if helper == "" {
		return nil
	}
	return &secretfile.Error{File: file, Problem: fmt.Sprintf("leaves the credentials for %s to the helper %q, which the proxy cannot run: add an entry under auths", base.Host(), helper)}
}

// bestKey is the key of the entry for the upstream: the one with the longest path, and among equals the first.
func bestKey(auths map[string]json.RawMessage, base distspec.Base) string {
	best, rank := "", -1
	for key := range auths {
		if r := rankKey(key, base); r > rank || (r == rank && r >= 0 && key < best) {
			best, rank = key, r
		}
	}
	return best
}

// rankKey is -1 for a key of another registry, and else grows with how closely the key fits. Keys are hosts or URLs;
// a path after the host is a repository prefix, as podman and kubelet have it, or docker's historical /v1/.
func rankKey(key string, base distspec.Base) int {
	_, rest, found := strings.Cut(key, "://")
	if !found {
		rest = key
	}
	host, path, _ := strings.Cut(strings.ToLower(rest), "/")
	path = strings.Trim(path, "/")
	if path == "v1" || path == "v2" {
		path = ""
	}
	if path != "" && path != base.Prefix() && !strings.HasPrefix(base.Prefix(), path+"/") {
		return -1
	}
	switch {
	case host == base.Host():
		return 2*len(path) + 1
	case slices.Contains(dockerHub, host) && slices.Contains(dockerHub, base.Host()):
		return 2 * len(path)
	default:
		return -1
	}
}
