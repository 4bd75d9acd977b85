package kube

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/registryhub/registryhub/proxy/access"
	"github.com/registryhub/registryhub/proxy/distspec"
)

// What a right is about. There need be no such resource: it is a word that RBAC compares.
const (
	group       = "registryhub.io"
	resource    = "registryhubs"
	subresource = "repositories"
)

// Authorize implements access.Identities. One right is enough, of whatever name, unless somebody forbids it.
func (c *Cluster) Authorize(ctx context.Context, who access.Identity, repository string, action access.Action) error {
	tried := names(c.Hub, repository)
	for _, name := range tried {
		said, err := c.ask(ctx, specOf(who, string(action), name))
		switch {
		case err != nil:
			return unavailable(err)
		case said == allowed:
			return nil
		case said == forbidden:
			return distspec.NewError(http.StatusForbidden, distspec.CodeDenied, fmt.Sprintf("the cluster forbids %s the verb %s on %s/%s %s", who.Name, action, resource, subresource, name))
		}
	}
	return distspec.NewError(http.StatusForbidden, distspec.CodeDenied, fmt.Sprintf(
		"%s may not %s here: it takes a role with the verb %s on %s/%s of %s named %s", who.Name, action, action, resource, subresource, group, anyOf(tried)))
}

func specOf(who access.Identity, verb, name string) authorizationv1.SubjectAccessReviewSpec {
	extra := map[string]authorizationv1.ExtraValue{}
	for key, values := range who.Extra {
		extra[key] = values
	}
	return authorizationv1.SubjectAccessReviewSpec{
		User: who.Name, UID: who.UID, Groups: who.Groups, Extra: extra,
		ResourceAttributes: &authorizationv1.ResourceAttributes{Group: group, Version: "*", Resource: resource, Subresource: subresource, Verb: verb, Name: name},
	}
}

// ask asks about one name. All that is asked is what the answer is kept by.
func (c *Cluster) ask(ctx context.Context, spec authorizationv1.SubjectAccessReviewSpec) (verdict, error) {
	whole, err := json.Marshal(spec)
	if err != nil {
		return silent, err
	}
	return c.verdicts.ask(ctx, string(whole), func(ctx context.Context) (answer[verdict], error) {
		reviewed, err := c.Rights.Create(ctx, &authorizationv1.SubjectAccessReview{Spec: spec}, metav1.CreateOptions{})
		if err := c.told(&c.rights, err); err != nil {
			return answer[verdict]{}, err
		}
		switch {
		case reviewed.Status.Denied:
			return answer[verdict]{value: forbidden}, nil
		case reviewed.Status.Allowed:
			return answer[verdict]{value: allowed, yes: true}, nil
		}
		return answer[verdict]{}, nil
	})
}
