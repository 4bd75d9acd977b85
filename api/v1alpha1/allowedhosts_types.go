package v1alpha1

// AnyHost stands, alone among a hub's hosts, for every host that has no hub of its own.
const AnyHost RegistryHost = "*"

// HostPattern is a registry's host as written in image references, with a port where it has one; or "*." and a domain of at
// least two labels, which stands for every name below it.
// Example: "*.gcr.io".
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=253
// +kubebuilder:validation:XValidation:rule="self.matches('^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\\\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*|\\\\[[0-9a-f:.]+\\\\]|\\\\*(\\\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?){2,})(:[0-9]{1,5})?$')",message="an allowed host is a registry host with its port where it has one, such as registry.example.com:5000, or *. and a domain of at least two labels, such as *.example.com"
type HostPattern string

// StandsForAny says whether the hub is for every host that has no hub of its own.
func (s *RegistryHubSpec) StandsForAny() bool {
	for _, host := range s.Hosts {
		if host == AnyHost {
			return true
		}
	}
	return false
}
