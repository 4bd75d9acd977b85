package registryhub

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/api/v1alpha1"
	"github.com/registryhub/registryhub/controllers/internal/apply"
	"github.com/registryhub/registryhub/controllers/internal/leaf"
	"github.com/registryhub/registryhub/controllers/resources"
)

const (
	// keyLength is that of a key, in bytes.
	keyLength = 32
	// keysReplaced is how often the key that signs is replaced. The one before is good until then, which is far longer than
	// an upload or a token is.
	keysReplaced = 30 * 24 * time.Hour
	// presentKeys is how often keys that are there are looked at again: what somebody did to them is repaired.
	presentKeys = 5 * time.Minute
)

// keepKeys makes what a registry signs with, and replaces it in time.
func (r *Reconciler) keepKeys(ctx context.Context, s *scope) error {
	if s.hub.Spec.Local == nil {
		return nil
	}
	key := client.ObjectKey{Namespace: r.Settings.Namespace, Name: resources.KeysName(s.hub)}
	live, err := find(ctx, r.Live, key, &corev1.Secret{})
	if err != nil {
		return fmt.Errorf("reading Secret %s: %w", key.Name, err)
	}
	if live == nil {
		live = &corev1.Secret{}
	}
	s.requeueIn(presentKeys)
	data, changed := keysAfter(live.Data, leaf.Changed(live), s.now)
	wanted := resources.HubKeys(s.hub, r.Settings, data).
		WithAnnotations(map[string]string{v1alpha1.AnnotationChanged: changed.UTC().Format(time.RFC3339)}).
		WithOwnerReferences(ownedBy(s.service))
	_, err = apply.Secret(ctx, r.Client, wanted)
	return err
}

// keysAfter are the keys that there should be now, and when they changed last.
func keysAfter(held map[string][]byte, changed, now time.Time) (map[string][]byte, time.Time) {
	current, previous := held[configv1alpha1.LocalKeyCurrent], held[configv1alpha1.LocalKeyPrevious]
	if len(previous) < keyLength {
		previous = nil
	}
	if len(current) < keyLength || changed.IsZero() || now.Sub(changed) >= keysReplaced {
		if len(current) >= keyLength {
			previous = current
		}
		current, changed = make([]byte, keyLength), now
		_, _ = rand.Read(current) // never fails
	}
	data := map[string][]byte{configv1alpha1.LocalKeyCurrent: current}
	if previous != nil {
		data[configv1alpha1.LocalKeyPrevious] = previous
	}
	return data, changed
}
