package v1alpha1

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// CertificatesConfiguration says how long certificates live. Each is made anew when two thirds of its life are over.
type CertificatesConfiguration struct {
	// AuthorityLifetime is how long a certificate authority lives. At least three times lifetime. Default: 43800h, which
	// is five years.
	AuthorityLifetime *metav1.Duration `json:"authorityLifetime,omitempty"`

	// Lifetime is how long the certificates of hubs and of nodes live. At least ten times overlap. Default: 2160h, which
	// is 90 days.
	Lifetime *metav1.Duration `json:"lifetime,omitempty"`

	// Overlap is how long two certificate authorities are trusted at least before the next step of a rotation. It must be
	// longer than the kubelet takes to bring a changed Secret into a running Pod, which is up to two minutes. At least 1s.
	// Default: 1h.
	Overlap *metav1.Duration `json:"overlap,omitempty"`
}

func (c *CertificatesConfiguration) setDefaults() {
	setDefaultDuration(&c.AuthorityLifetime, 43800*time.Hour)
	setDefaultDuration(&c.Lifetime, 2160*time.Hour)
	setDefaultDuration(&c.Overlap, time.Hour)
}

// validate says what is wrong once defaults are filled in.
func (c *CertificatesConfiguration) validate(field string) error {
	if c.AuthorityLifetime == nil || c.Lifetime == nil || c.Overlap == nil {
		return nil
	}
	var errs []error
	if c.Overlap.Duration < time.Second {
		errs = append(errs, fmt.Errorf("%s.overlap: %s is too short: give at least 1s", field, c.Overlap.Duration))
	}
	if c.Lifetime.Duration < 10*c.Overlap.Duration {
		errs = append(errs, fmt.Errorf("%s.lifetime: %s is less than ten times the overlap of %s", field, c.Lifetime.Duration, c.Overlap.Duration))
	}
	if c.AuthorityLifetime.Duration < 3*c.Lifetime.Duration {
		errs = append(errs, fmt.Errorf("%s.authorityLifetime: %s is less than three times the lifetime of %s", field, c.AuthorityLifetime.Duration, c.Lifetime.Duration))
	}
	return errors.Join(errs...)
}

// validateBundle refuses whatever is not a PEM certificate: containerd fails every pull for a file that holds none.
func validateBundle(field, bundle string) error {
	for rest := []byte(strings.TrimSpace(bundle)); len(rest) > 0; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil || block.Type != "CERTIFICATE" {
			return fmt.Errorf("%s: it holds something else than PEM certificates", field)
		}
		if _, err := x509.ParseCertificate(block.Bytes); err != nil {
			return fmt.Errorf("%s: %w", field, err)
		}
	}
	return nil
}
