package proof

import (
	"fmt"
	"strings"

	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
)

// compare says whether what the runtime calls the image is the hub's canary: the digest of its configuration (containerd),
// or a repository with that of its manifest (CRI-O). The runtime has verified both on its way.
func compare(target Target, name configv1alpha1.CanaryName, ref string) error {
	image := configv1alpha1.NewCanaryImage(target.HubUID, name)
	bare := strings.TrimPrefix(image.Config.Digest, "sha256:")
	if strings.TrimPrefix(ref, "sha256:") == bare || strings.HasSuffix(ref, "@"+image.Manifest.Digest) {
		return nil
	}
	return fmt.Errorf("the runtime was given an image from %s that is not this hub's: another hub, or another registry, answers for the host", target.Host)
}

// pullError says why the runtime did not get a canary, in words that are the same for each: without the nonce.
type pullError struct {
	image, nonce string
	cause        error
}

// Error says what was tried.
func (e *pullError) Error() string {
	return fmt.Sprintf("the runtime did not get %s: %s", e.image, strings.ReplaceAll(e.cause.Error(), e.nonce, "NONCE"))
}

// Unwrap gives the runtime's error.
func (e *pullError) Unwrap() error { return e.cause }
