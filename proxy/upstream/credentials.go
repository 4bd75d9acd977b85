package upstream

import (
	"path/filepath"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"

	config "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/proxy/distspec"
	"github.com/registryhub/registryhub/proxy/secretfile"
)

// The keys of a Secret of the types kubernetes.io/dockerconfigjson and kubernetes.io/basic-auth.
const (
	dockerConfigKey = ".dockerconfigjson"
	usernameKey     = "username"
	passwordKey     = "password"
)

// credentialSource reads the credentials for one upstream, anew each time, so that a rotated file is used. The zero
// AuthConfig means anonymous. Errors are *secretfile.Error.
type credentialSource func() (authn.AuthConfig, error)

func newCredentialSource(cfg config.UpstreamConfiguration, base distspec.Base) credentialSource {
	switch {
	case cfg.CredentialsDirectory != "":
		return func() (authn.AuthConfig, error) { return fromDirectory(cfg.CredentialsDirectory, base) }
	case cfg.DockerConfigFile != "":
		return func() (authn.AuthConfig, error) { return fromDockerConfig(cfg.DockerConfigFile, base) }
	default:
		return noCredentials
	}
}

// fromDirectory reads a mounted Secret. It was named for this upstream, so what it does not say is an error and
// never anonymous access.
func fromDirectory(directory string, base distspec.Base) (authn.AuthConfig, error) {
	if file := filepath.Join(directory, dockerConfigKey); secretfile.Exists(file) {
		found, err := fromDockerConfig(file, base)
		if err == nil && found == (authn.AuthConfig{}) {
			err = &secretfile.Error{File: file, Problem: "has no entry for " + base.Host() + ": add one under auths"}
		}
		return found, err
	}
	username, err := readValue(directory, usernameKey)
	if err != nil {
		return authn.AuthConfig{}, err
	}
	password, err := readValue(directory, passwordKey)
	if err != nil {
		return authn.AuthConfig{}, err
	}
	return authn.AuthConfig{Username: username, Password: password}, nil
}

// readValue reads one key of a Secret. The newline that an editor or a here-document leaves at its end is no part of
// it.
func readValue(directory, key string) (string, error) {
	file := filepath.Join(directory, key)
	if !secretfile.Exists(file) {
		return "", &secretfile.Error{File: directory, Problem: "must hold " + dockerConfigKey + ", or " + usernameKey + " and " + passwordKey}
	}
	content, err := secretfile.Read(file)
	if err != nil {
		return "", err
	}
	value := strings.TrimRight(string(content), "\r\n")
	if value == "" {
		return "", &secretfile.Error{File: file, Problem: "is empty"}
	}
	return value, nil
}
