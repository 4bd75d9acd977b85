package v1alpha1

import (
	"errors"
	"fmt"
	"regexp"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// The files of a directory of a registry's keys.
const (
	// LocalKeyCurrent signs.
	LocalKeyCurrent = "current"
	// LocalKeyPrevious is good still. It need not be there.
	LocalKeyPrevious = "previous"
)

// LocalConfiguration describes a registry that is pushed to.
type LocalConfiguration struct {
	// KeysDirectory holds the keys that tokens and the URLs of uploads are signed with, of 32 random bytes or more each:
	// current, and previous, which is good still. All replicas must have the same. Default: a key that is this process's alone, so
	// that no other goes on with its uploads, nor itself after a restart.
	KeysDirectory string `json:"keysDirectory,omitempty"`

	// Access says who may pull and push. Required.
	Access LocalAccess `json:"access"`

	// ImmutableTags are RE2 expressions for the whole of "<repository>:<tag>", such as "team/.*:v[0-9.]+". A tag that one of
	// them matches is given once, and names the same manifest until it is deleted. Default: none, and every tag can be moved.
	ImmutableTags []string `json:"immutableTags,omitempty"`

	// UploadsExpireAfter is how long nobody may go on with an upload before it is thrown away. At least an hour. Default: 24h.
	UploadsExpireAfter *metav1.Duration `json:"uploadsExpireAfter,omitempty"`

	// Sparse takes manifests some of whose children were not pushed, such as an index of more platforms than a team
	// builds. Default: false, and they are refused.
	Sparse bool `json:"sparse,omitempty"`
}

// CompileImmutableTags compiles the expressions; field is their own path, which errors begin with.
func (c *LocalConfiguration) CompileImmutableTags(field string) ([]*regexp.Regexp, error) {
	var errs []error
	expressions := make([]*regexp.Regexp, 0, len(c.ImmutableTags))
	for i, text := range c.ImmutableTags {
		expression, err := anchored(text)
		if err != nil {
			err = fmt.Errorf("%s[%d]: %q is not a regular expression of RE2: %w", field, i, text, err)
		}
		expressions, errs = append(expressions, expression), append(errs, err)
	}
	return expressions, errors.Join(errs...)
}

// LocalAccess says who may pull from a registry and push to it.
type LocalAccess struct {
	// Anonymous is what may be done by those who do not say who they are: None, Pull or Push, which is everything.
	// Default: None.
	Anonymous string `json:"anonymous,omitempty"`

	// HtpasswdFile holds users and hashes of their passwords, as htpasswd -B makes it. Who is in it may do everything. It is
	// read again when it changes. Default: there are no users.
	HtpasswdFile string `json:"htpasswdFile,omitempty"`

	// Kubernetes lets those in whom a cluster knows, for what RBAC gives them. Default: they are not known.
	Kubernetes *KubernetesAccess `json:"kubernetes,omitempty"`
}

// KubernetesAccess says which cluster knows who may do what. While its API server cannot be asked nobody gets in who is known
// by it, and everybody else does.
type KubernetesAccess struct {
	// Audience that tokens must be made for. Default: registryhub.io/HUB.
	Audience string `json:"audience,omitempty"`

	// Kubeconfig is a file that says how the API server is reached, and as whom, who must be allowed to create TokenReviews and
	// SubjectAccessReviews. Default: as a Pod reaches it, with the token of its ServiceAccount.
	Kubeconfig string `json:"kubeconfig,omitempty"`
}

// AudiencePrefix and the name of a hub are whom tokens for that hub are made for.
const AudiencePrefix = "registryhub.io/"

func (c *LocalConfiguration) setDefaults(hub string) {
	if c == nil {
		return
	}
	setDefault(&c.Access.Anonymous, "None")
	setDefaultDuration(&c.UploadsExpireAfter, 24*time.Hour)
	if c.Access.Kubernetes != nil {
		setDefault(&c.Access.Kubernetes.Audience, AudiencePrefix+hub)
	}
}

func (c *LocalConfiguration) validate(field string) error {
	if c == nil {
		return nil
	}
	switch c.Access.Anonymous {
	case "None":
		if c.Access.HtpasswdFile == "" && c.Access.Kubernetes == nil {
			return errors.New(field + ".access: nobody may do anything: name users with htpasswdFile, let in those of a cluster with kubernetes, or say what is for anyone with anonymous")
		}
	case "Pull", "Push":
	default:
		return fmt.Errorf("%s.access.anonymous: %q is none of None, Pull and Push", field, c.Access.Anonymous)
	}
	if c.UploadsExpireAfter.Duration < time.Hour {
		return fmt.Errorf("%s.uploadsExpireAfter: %s is too short: give at least 1h", field, c.UploadsExpireAfter.Duration)
	}
	_, err := c.CompileImmutableTags(field + ".immutableTags")
	return err
}
