// Package dockerconfig finds a registry's entry in docker's config.json, which is also what a Secret of the type
// kubernetes.io/dockerconfigjson holds. The operator checks Secrets with it, and the proxy reads them: what one takes for
// good the other can use.
package dockerconfig

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Entry is what is known for a registry, as docker writes it
// (https://pkg.go.dev/github.com/docker/cli/cli/config/types#AuthConfig). The zero Entry means anonymous.
type Entry struct {
	Username      string `json:"username"`
	Password      string `json:"password"`
	Auth          string `json:"auth"`
	IdentityToken string `json:"identitytoken"`
	RegistryToken string `json:"registrytoken"`
}

// file is what is read of docker's config.json. An entry is decoded only when it is the one that is wanted, so that a
// malformed one for another registry does no harm.
type file struct {
	Auths       map[string]json.RawMessage `json:"auths"`
	CredsStore  string                     `json:"credsStore"`
	CredHelpers map[string]string          `json:"credHelpers"`
}

// dockerHub are the hosts that mean Docker Hub; docker itself writes https://index.docker.io/v1/.
var dockerHub = []string{"docker.io", "index.docker.io", "registry-1.docker.io"}

// Find reads the entry for a registry: a host, with its port where it has one, and the repository prefix that is used on
// it, empty for none. No entry is the zero Entry, unless a credential helper, which nobody here can run, is what holds it.
// Errors hold nothing of the content.
func Find(content []byte, host, prefix string) (Entry, error) {
	var parsed file
	// The decoder's own error would quote the file.
	if json.Unmarshal(content, &parsed) != nil {
		return Entry{}, errors.New(`is not docker's config.json: write {"auths": {...}}`)
	}
	var found Entry
	if key := bestKey(parsed.Auths, host, prefix); key != "" {
		if json.Unmarshal(parsed.Auths[key], &found) != nil || found.split() != nil {
			return Entry{}, fmt.Errorf("has a malformed entry %q: auth is base64 of user:password", key)
		}
	}
	if found == (Entry{}) {
		return found, parsed.checkHelpers(host, prefix)
	}
	return found, nil
}

var errNoPair = errors.New("auth is not base64 of user:password")

// split takes the name and the password out of auth, which goes before both.
func (e *Entry) split() error {
	if e.Auth == "" {
		return nil
	}
	pair, err := base64.StdEncoding.DecodeString(e.Auth)
	if err != nil {
		pair, err = base64.RawStdEncoding.DecodeString(e.Auth)
	}
	username, password, found := strings.Cut(string(pair), ":")
	if err != nil || !found {
		return errNoPair
	}
	e.Username, e.Password = username, password
	return nil
}

func (f file) checkHelpers(host, prefix string) error {
	helper := f.CredsStore
	for key, name := range f.CredHelpers {
		if rankKey(key, host, prefix) >= 0 {
			helper = name
		}
	}
	if helper == "" {
		return nil
	}
	return fmt.Errorf("leaves the credentials for %s to the helper %q, which the proxy cannot run: add an entry under auths", host, helper)
}

// bestKey is the key of the entry for the registry: the one with the longest path, and among equals the first.
func bestKey(auths map[string]json.RawMessage, host, prefix string) string {
	best, rank := "", -1
	for key := range auths {
		if r := rankKey(key, host, prefix); r > rank || (r == rank && r >= 0 && key < best) {
			best, rank = key, r
		}
	}
	return best
}

// rankKey is -1 for a key of another registry, and else grows with how closely the key fits. Keys are hosts or URLs;
// a path after the host is a repository prefix, as podman and kubelet have it, or docker's historical /v1/.
func rankKey(key, registry, prefix string) int {
	_, rest, found := strings.Cut(key, "://")
	if !found {
		rest = key
	}
	host, path, _ := strings.Cut(strings.ToLower(rest), "/")
	path = strings.Trim(path, "/")
	if path == "v1" || path == "v2" {
		path = ""
	}
	if path != "" && path != prefix && !strings.HasPrefix(prefix, path+"/") {
		return -1
	}
	switch {
	case host == registry:
		return 2*len(path) + 1
	case slices.Contains(dockerHub, host) && slices.Contains(dockerHub, registry):
		return 2 * len(path)
	default:
		return -1
	}
}
