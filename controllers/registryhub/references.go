package registryhub

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/url"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/registryhub/registryhub/api/config/dockerconfig"
	"github.com/registryhub/registryhub/api/config/htpasswd"
	"github.com/registryhub/registryhub/api/v1alpha1"
)

// Secrets are polled, and not watched: to watch one is to be allowed to list all of them. A missing one is looked
// for soon; one that is there is looked at again so that its loss is told.
const (
	missingReferencePeriod = 10 * time.Second
	presentReferencePeriod = time.Minute
)

// resolveReferences reads the Secrets and ConfigMaps that the spec names. What is missing is waited for.
func (r *Reconciler) resolveReferences(ctx context.Context, s *scope) error {
	if err := r.resolveBucket(ctx, s); err != nil {
		return err
	}
	if err := r.resolveUpstreams(ctx, s); err != nil {
		return err
	}
	if err := r.resolveUsers(ctx, s); err != nil {
		return err
	}
	if len(s.missing) > 0 {
		s.requeueIn(missingReferencePeriod)
	}
	return nil
}

// resolveUsers looks at who may push. A registry whose users cannot be read lets nobody in.
func (r *Reconciler) resolveUsers(ctx context.Context, s *scope) error {
	ref := s.hub.Spec.Access.HtpasswdSecretRef
	if ref == nil {
		return nil
	}
	s.requeueIn(presentReferencePeriod)
	data, err := r.data(ctx, v1alpha1.CABundleSecret, ref.Name)
	if err != nil {
		return err
	}
	if lack := lacksUsers(data); lack != "" {
		s.missing = append(s.missing, fmt.Sprintf("spec.access.htpasswdSecretRef: Secret %s in namespace %s %s", ref.Name, r.Settings.Namespace, lack))
	}
	return nil
}

// lacksUsers says what is wrong with a Secret's data, without a word of what is in it but names of users.
func lacksUsers(data map[string][]byte) string {
	users, found := data[htpasswd.Key]
	switch {
	case data == nil:
		return "does not exist"
	case !found:
		return "has no key " + htpasswd.Key
	}
	if _, err := htpasswd.Parse(users); err != nil {
		return "has a key " + htpasswd.Key + " that cannot be read: " + err.Error()
	}
	return ""
}

func (r *Reconciler) resolveUpstreams(ctx context.Context, s *scope) error {
	if s.hub.Spec.Mirror == nil {
		return nil
	}
	for _, upstream := range s.hub.Spec.Mirror.Upstreams {
		if err := r.resolveSecrets(ctx, s, upstream); err != nil {
			return err
		}
		if err := r.resolveBundle(ctx, s, upstream); err != nil {
			return err
		}
	}
	return nil
}

func (r *Reconciler) resolveSecrets(ctx context.Context, s *scope, upstream v1alpha1.Upstream) error {
	for _, named := range []struct {
		field string
		ref   *v1alpha1.SecretReference
		lacks func(map[string][]byte) string
	}{
		{"credentialsSecretRef", upstream.CredentialsSecretRef, lacksCredentials(upstream.URL)},
		{"clientCertificateSecretRef", upstream.ClientCertificateSecretRef, lacksKeyPair},
	} {
		if named.ref == nil {
			continue
		}
		s.requeueIn(presentReferencePeriod)
		data, err := r.data(ctx, v1alpha1.CABundleSecret, named.ref.Name)
		if err != nil {
			return err
		}
		if lack := named.lacks(data); lack != "" {
			s.missing = append(s.missing, fmt.Sprintf("%s of upstream %s: Secret %s in namespace %s %s",
				named.field, upstream.Name, named.ref.Name, r.Settings.Namespace, lack))
		}
	}
	return nil
}

func (r *Reconciler) resolveBundle(ctx context.Context, s *scope, upstream v1alpha1.Upstream) error {
	ref := upstream.CABundleRef
	if ref == nil {
		return nil
	}
	if ref.Kind == v1alpha1.CABundleSecret {
		s.requeueIn(presentReferencePeriod)
	}
	data, err := r.data(ctx, ref.Kind, ref.Name)
	if err != nil {
		return err
	}
	if lack := lacksBundle(data, ref.Key); lack != "" {
		s.missing = append(s.missing, fmt.Sprintf("caBundleRef of upstream %s: %s %s in namespace %s %s",
			upstream.Name, ref.Kind, ref.Name, r.Settings.Namespace, lack))
	}
	return nil
}

// data is what a Secret or ConfigMap holds; nil when there is no such object.
func (r *Reconciler) data(ctx context.Context, kind v1alpha1.CABundleKind, name string) (map[string][]byte, error) {
	key := client.ObjectKey{Namespace: r.Settings.Namespace, Name: name}
	if kind == v1alpha1.CABundleSecret {
		secret, err := find(ctx, r.Live, key, &corev1.Secret{})
		if err != nil || secret == nil {
			return nil, err
		}
		return nonNil(secret.Data), nil
	}
	configMap, err := find(ctx, r.Client, key, &corev1.ConfigMap{})
	if err != nil || configMap == nil {
		return nil, err
	}
	data := nonNil(configMap.BinaryData)
	for name, value := range configMap.Data {
		data[name] = []byte(value)
	}
	return data, nil
}

func nonNil(data map[string][]byte) map[string][]byte {
	if data == nil {
		return map[string][]byte{}
	}
	return data
}

// lacksCredentials says what is wrong with a Secret's data for an upstream, without a word of what is in it.
func lacksCredentials(upstreamURL string) func(map[string][]byte) string {
	return func(data map[string][]byte) string {
		config := data[corev1.DockerConfigJsonKey]
		switch {
		case data == nil:
			return "does not exist"
		case len(config) > 0:
			return lacksEntry(config, upstreamURL)
		case len(data[corev1.BasicAuthUsernameKey]) == 0 || len(data[corev1.BasicAuthPasswordKey]) == 0:
			return "has neither " + corev1.DockerConfigJsonKey + " nor both username and password"
		}
		return ""
	}
}

// lacksEntry says why the upstream would not get credentials of docker's config.json. The URL was validated before.
func lacksEntry(config []byte, upstreamURL string) string {
	upstream, err := url.Parse(upstreamURL)
	if err != nil {
		return ""
	}
	host := strings.ToLower(upstream.Host)
	entry, err := dockerconfig.Find(config, host, strings.Trim(upstream.EscapedPath(), "/"))
	switch {
	case err != nil:
		return "has a " + corev1.DockerConfigJsonKey + " that " + err.Error()
	case entry == (dockerconfig.Entry{}):
		return "has a " + corev1.DockerConfigJsonKey + " without an entry for " + host + ": add one under auths"
	}
	return ""
}

// lacksKeyPair says what is wrong with a client certificate and its key, without a word of what is in them.
func lacksKeyPair(data map[string][]byte) string {
	for _, key := range []string{corev1.TLSCertKey, corev1.TLSPrivateKeyKey} {
		switch {
		case data == nil:
			return "does not exist"
		case len(data[key]) == 0:
			return "has no key " + key
		}
	}
	if _, err := tls.X509KeyPair(data[corev1.TLSCertKey], data[corev1.TLSPrivateKeyKey]); err != nil {
		return "has no PEM certificate in key " + corev1.TLSCertKey + " with its private key in key " + corev1.TLSPrivateKeyKey
	}
	return ""
}

func lacksBundle(data map[string][]byte, key string) string {
	bundle, found := data[key]
	switch {
	case data == nil:
		return "does not exist"
	case !found:
		return "has no key " + key
	case !x509.NewCertPool().AppendCertsFromPEM(bundle):
		return "has no PEM certificate in key " + key
	}
	return ""
}
