package v1alpha1

import (
	"fmt"
	"strings"
)

// MaxHubBundle is how many bytes the CA bundle of one hub may have. Every agent is sent those of all hubs.
const MaxHubBundle = 32 << 10

func (h NodeHub) validateBundle(field string) error {
	field += ".caBundle"
	switch {
	case h.CABundle == "":
		return nil
	case len(h.CABundle) > MaxHubBundle:
		return fmt.Errorf("%s: it has %d bytes, which is more than %d", field, len(h.CABundle), MaxHubBundle)
	case !strings.HasPrefix(h.Endpoint, "https:"):
		return fmt.Errorf("%s: %s shows no certificate: it needs https", field, h.Endpoint)
	}
	return validateBundle(field, h.CABundle)
}
