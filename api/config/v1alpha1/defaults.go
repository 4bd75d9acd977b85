package v1alpha1

// DefaultUpstreamURL is where the content of a registry host comes from when no upstream is named: the host itself
// over https. Docker Hub's API is on another host than its references name. The host must be valid (ValidateHost).
func DefaultUpstreamURL(host string) string {
	if host == "docker.io" {
		return "https://registry-1.docker.io"
	}
	return "https://" + host
}
