package registryhub

import (
	"context"
	"fmt"

	"github.com/registryhub/registryhub/api/v1alpha1"
)

// resolveProxyReferences reads the Secrets that the proxy's Pods start with. One that is missing is waited for: the Pods
// that run stay, where their successors could not start.
func (r *Reconciler) resolveProxyReferences(ctx context.Context, s *scope) error {
	for _, named := range proxyReferences(s.hub.Spec.Proxy) {
		s.requeueIn(presentReferencePeriod)
		data, err := r.data(ctx, v1alpha1.CABundleSecret, named.secret)
		if err != nil {
			return err
		}
		if lack := named.lacks(data); lack != "" {
			s.missing = append(s.missing, fmt.Sprintf("%s: Secret %s in namespace %s %s", named.field, named.secret, r.Settings.Namespace, lack))
			s.requeueIn(missingReferencePeriod)
		}
	}
	return nil
}

// proxyReference is a Secret that Pods start with, and a key that it must have, if any.
type proxyReference struct{ field, secret, key string }

func proxyReferences(proxy v1alpha1.ProxySpec) []proxyReference {
	var named []proxyReference
	for _, variable := range proxy.Env {
		if from := variable.ValueFrom; from != nil {
			named = append(named, proxyReference{"variable " + variable.Name + " of spec.proxy.env", from.SecretKeyRef.Name, from.SecretKeyRef.Key})
		}
	}
	for _, secret := range proxy.ImagePullSecrets {
		named = append(named, proxyReference{field: "spec.proxy.imagePullSecrets", secret: secret.Name})
	}
	return named
}

// lacks says what is wrong with the Secret's data, without a word of what is in it.
func (p proxyReference) lacks(data map[string][]byte) string {
	_, there := data[p.key]
	switch {
	case data == nil:
		return "does not exist"
	case p.key != "" && !there:
		return "has no key " + p.key
	}
	return ""
}
