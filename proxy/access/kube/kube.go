// Package kube lets a registry know those whom a Kubernetes cluster knows: who shows a token of a ServiceAccount is asked
// about by TokenReview, and what they may do by SubjectAccessReview. So rights are given with RBAC: the verbs pull, push and delete
// on registryhubs/repositories of registryhub.io, by the names that names makes.
//
// Nothing is remembered longer than moments, and while the API server cannot be asked nobody is known who was not a
// moment before.
package kube

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/go-logr/logr"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/registryhub/registryhub/proxy/access"
	"github.com/registryhub/registryhub/proxy/distspec"
	"github.com/registryhub/registryhub/proxy/metrics"
)

// Tokens reviews tokens: a TokenReviewInterface of client-go.
type Tokens interface {
	Create(ctx context.Context, review *authenticationv1.TokenReview, options metav1.CreateOptions) (*authenticationv1.TokenReview, error)
}

// Rights reviews what somebody may do: a SubjectAccessReviewInterface of client-go.
type Rights interface {
	Create(ctx context.Context, review *authorizationv1.SubjectAccessReview, options metav1.CreateOptions) (*authorizationv1.SubjectAccessReview, error)
}

// Options of a Cluster. All fields are required.
type Options struct {
	// Hub is what the names of rights begin with.
	Hub string
	// Audience that tokens must be made for.
	Audience string
	Tokens   Tokens
	Rights   Rights
	// Logger tells when the API server cannot be asked, and when it can again.
	Logger  logr.Logger
	Metrics *metrics.Metrics
}

// Cluster knows those whom a Kubernetes cluster knows. It is safe for use by several goroutines.
type Cluster struct {
	Options
	owners   *questions[owner]
	verdicts *questions[verdict]
	// tokens and rights are how the two fare.
	tokens, rights health
}

var _ access.Identities = (*Cluster)(nil)

// New returns a Cluster, which asks nothing yet.
func New(options Options) *Cluster {
	return &Cluster{Options: options, tokens: health{kind: "TokenReview"}, rights: health{kind: "SubjectAccessReview"}, owners: newQuestions[owner](metrics.ReviewOfToken, options.Metrics), verdicts: newQuestions[verdict](metrics.ReviewOfRight, options.Metrics)}
}

// owner is whose a token is: an Identity without a name for nobody's.
type owner struct {
	identity access.Identity
}

// verdict is what is said of one name of a right.
type verdict int

const (
	// silent: there is no such right, which says nothing of a right of another name.
	silent verdict = iota
	allowed
	// forbidden: somebody has said no, whatever else there is.
	forbidden
)

// Claim implements access.Identities.
func (c *Cluster) Claim(password string) bool {
	_, is := readClaims(password)
	return is
}

// Identify implements access.Identities. What says itself that it is not for this registry, or not any more, is not asked
// about: the API server would say no.
func (c *Cluster) Identify(ctx context.Context, token string) (access.Identity, time.Time, error) {
	says, is := readClaims(token)
	expires := says.Expires.time()
	switch {
	case !is:
		return access.Identity{}, time.Time{}, access.Unknown("the password is no token of a cluster")
	case !says.isFor(c.Audience):
		return access.Identity{}, time.Time{}, access.Unknown("the token is not for this registry: have one made with the audience " + c.Audience)
	case !time.Now().Before(expires):
		return access.Identity{}, time.Time{}, access.Unknown("the token has expired, or never does: have one made that is good for a while")
	}
	of, err := c.owners.ask(ctx, token, func(ctx context.Context) (answer[owner], error) { return c.review(ctx, token) })
	switch {
	case err != nil:
		return access.Identity{}, time.Time{}, unavailable(err)
	case of.identity.Name == "":
		return access.Identity{}, time.Time{}, access.Unknown("the cluster does not know the token, or not any more")
	}
	return of.identity, expires, nil
}

func (c *Cluster) review(ctx context.Context, token string) (answer[owner], error) {
	review := &authenticationv1.TokenReview{Spec: authenticationv1.TokenReviewSpec{Token: token, Audiences: []string{c.Audience}}}
	reviewed, err := c.Tokens.Create(ctx, review, metav1.CreateOptions{})
	if err := c.told(&c.tokens, err); err != nil {
		return answer[owner]{}, err
	}
	status := reviewed.Status
	// An authenticator that knows of no audiences answers for the API server's own, and names none.
	if !status.Authenticated || !slices.Contains(status.Audiences, c.Audience) {
		return answer[owner]{}, nil
	}
	of := owner{access.Identity{Name: status.User.Username, UID: status.User.UID, Groups: status.User.Groups}}
	for key, values := range status.User.Extra {
		if of.identity.Extra == nil {
			of.identity.Extra = map[string][]string{}
		}
		of.identity.Extra[key] = values
	}
	return answer[owner]{value: of, yes: of.identity.Name != ""}, nil
}

// unavailable is 503: it says nothing of who asked.
func unavailable(err error) error {
	if errors.Is(err, context.Canceled) {
		return err
	}
	return &distspec.Error{
		Status: http.StatusServiceUnavailable, Code: distspec.CodeUnavailable, Err: err,
		Message: "who you are, or what you may do, cannot be known now: the cluster does not answer. Try again later",
	}
}
