package kube

import (
	"context"
	"fmt"
	"sync"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	// ProbeEvery is how often a cluster is to be probed that answers.
	ProbeEvery = time.Minute
	// ProbeAgainEvery is how often one is to be probed that does not.
	ProbeAgainEvery = 5 * time.Second

	// nobody is whose token, and whose rights, a probe asks about.
	nobody = "registryhub:probe"
	// lasting is how long questions must have failed before that is reported: an API server that starts anew is no news.
	lasting = 30 * time.Second
)

// health is how questions of one kind fare.
type health struct {
	kind string

	mu sync.Mutex
	// answered is whether any question was.
	answered bool
	// trouble is nil while they are; since is when the first one was not.
	trouble error
	since   time.Time
}

// found takes what became of a question, and says whether it is news.
func (h *health) found(err error) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	was := h.trouble
	switch {
	case err == nil:
		h.trouble, h.answered = nil, true
	case was == nil:
		h.trouble, h.since = err, time.Now()
	case apierrors.ReasonForError(was) != apierrors.ReasonForError(err):
		h.trouble = err
	}
	return (was == nil) != (err == nil)
}

func (h *health) isWell() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.trouble == nil
}

// report says what has been the matter for a while; known is false while there is nothing to say.
func (h *health) report() (problem string, known bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.trouble == nil || time.Since(h.since) < lasting {
		return "", h.answered
	}
	return fmt.Sprintf("creating a %s: %v", h.kind, h.trouble), true
}

// told tells once that the API server does not answer such questions, and once that it does again. No token is in what it says.
func (c *Cluster) told(h *health, err error) error {
	switch news := h.found(err); {
	case err == nil && news:
		c.Logger.Info("identities of the cluster are known again", "hub", c.Hub, "asked", h.kind)
	case news:
		c.Logger.Info("identities of the cluster cannot be known: who shows one is refused with 503", "hub", c.Hub, "asked", h.kind, "error", err.Error())
	}
	if err != nil {
		return fmt.Errorf("creating a %s: %w", h.kind, err)
	}
	return nil
}

// Probe asks the API server about nobody, so that it is known whether it answers before somebody needs to. It takes at most
// ten seconds.
func (c *Cluster) Probe(ctx context.Context) {
	c.probe(ctx, &c.tokens, func(ctx context.Context) error {
		review := &authenticationv1.TokenReview{Spec: authenticationv1.TokenReviewSpec{Token: nobody, Audiences: []string{c.Audience}}}
		_, err := c.Tokens.Create(ctx, review, metav1.CreateOptions{})
		return err
	})
	c.probe(ctx, &c.rights, func(ctx context.Context) error {
		review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
			User: nobody, ResourceAttributes: &authorizationv1.ResourceAttributes{Group: group, Version: "*", Resource: resource, Subresource: subresource, Verb: "pull"},
		}}
		_, err := c.Rights.Create(ctx, review, metav1.CreateOptions{})
		return err
	})
}

func (c *Cluster) probe(ctx context.Context, h *health, put func(context.Context) error) {
	patient, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := put(patient); ctx.Err() == nil {
		_ = c.told(h, err) // it has been
	}
}

// IsWell says whether what was asked last was answered.
func (c *Cluster) IsWell() bool { return c.tokens.isWell() && c.rights.isWell() }

// Health says how questions fare: known is false before they were answered once, problem what has kept them from being answered
// for half a minute and longer.
func (c *Cluster) Health() (problem string, known bool) {
	for _, h := range []*health{&c.tokens, &c.rights} {
		if problem, answered := h.report(); problem != "" || !answered {
			return problem, answered
		}
	}
	return "", true
}
