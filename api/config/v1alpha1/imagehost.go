package v1alpha1

import "strings"

// ImageHost is the registry host that an image comes from, as containerd finds it in a reference
// (https://github.com/distribution/reference, splitDockerDomain): what is before the first slash, where that looks like a
// host, and docker.io else.
func ImageHost(reference string) string {
	const dockerHub, legacy = "docker.io", "index.docker.io"
	host, _, found := strings.Cut(reference, "/")
	isHost := found && (strings.ContainsAny(host, ".:") || host == "localhost" || strings.ToLower(host) != host)
	if !isHost || host == legacy {
		return dockerHub
	}
	return host
}
