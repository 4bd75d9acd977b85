// Package resources holds pure builders: what a hub, or the operator as a whole, should have in the cluster. Each
// gives an intent for server-side apply, with the fields that we mean and no others.
package resources

import "github.com/registryhub/registryhub/api/v1alpha1"

// Ports of a proxy, and their names.
const (
	RegistryPort        = 5000
	DiagnosticsPort     = 8080
	registryPortName    = "registry"
	DiagnosticsPortName = "diagnostics"
)

// Where a proxy finds things.
const (
	proxyConfigDirectory = "/etc/registryhub/proxy"
	proxyConfigKey       = "config.yaml"
	credentialsDirectory = "/etc/registryhub/credentials" //nolint:gosec // G101: a path, not a credential
	certificateDirectory = "/etc/registryhub/client-certificates"
	caDirectory          = "/etc/registryhub/ca"
	cacheDirectory       = "/var/lib/registryhub"
	tlsDirectory         = "/etc/registryhub/tls"
)

// runAs is the user and group of all that need not be root: nobody else's on a usual node.
const runAs = 65532

// Settings are what the builders need to know of the operator.
type Settings struct {
	// Namespace that everything is made in.
	Namespace string
	// Image of the proxies and the agents.
	Image string
	// ImagePullSecrets are the names of Secrets by which nodes pull it.
	ImagePullSecrets []string
}

// ChildName is the name of each of a hub's children: a hub's name has at most 40 characters, so that it fits.
func ChildName(hub *v1alpha1.RegistryHub) string { return "hub-" + hub.Name }
