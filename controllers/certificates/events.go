package certificates

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/controllers/internal/pki"
)

// Reasons of the events that are told of the Secret registryhub-ca.
const (
	// ReasonRepaired: what somebody did to the Secret was put right, as far as it could be.
	ReasonRepaired = "AuthorityRepaired"
	// ReasonRotating: a step of a rotation was taken.
	ReasonRotating = "AuthorityRotating"
)

// tell records what was done, of the Secret that it was done to.
func (r *Reconciler) tell(step pki.Step, reason string, lost pki.Lost) {
	about := &corev1.Secret{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"},
		ObjectMeta: metav1.ObjectMeta{Namespace: r.Settings.Namespace, Name: configv1alpha1.AuthoritySecretName},
	}
	if len(lost) > 0 {
		r.Events.Eventf(about, nil, corev1.EventTypeWarning, ReasonRepaired, "Repair", "could not be read and was put right: %s", strings.Join(lost, ", "))
	}
	if step != pki.Keep {
		r.Events.Eventf(about, nil, corev1.EventTypeNormal, ReasonRotating, "Rotate", "%s: %s", step, reason)
	}
}
