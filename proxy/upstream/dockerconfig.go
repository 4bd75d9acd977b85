package upstream

import (
	"github.com/google/go-containerregistry/pkg/authn"

	"github.com/registryhub/registryhub/api/config/dockerconfig"
	"github.com/registryhub/registryhub/proxy/distspec"
	"github.com/registryhub/registryhub/proxy/secretfile"
)

// fromDockerConfig reads the entry for the upstream. No entry means anonymous, as it does for docker.
func fromDockerConfig(file string, base distspec.Base) (authn.AuthConfig, error) {
	content, err := secretfile.Read(file)
	if err != nil {
		return authn.AuthConfig{}, err
	}
	found, err := dockerconfig.Find(content, base.Host(), base.Prefix())
	if err != nil {
		return authn.AuthConfig{}, &secretfile.Error{File: file, Problem: err.Error()}
	}
	return authn.AuthConfig(found), nil
}
