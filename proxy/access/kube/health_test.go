package kube

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

func notAllowed(what string) error {
	return apierrors.NewForbidden(schema.GroupResource{Resource: what}, "", errors.New("no role"))
}

func TestTroubleIsReportedOnceItLasts(t *testing.T) {
	away := errors.New("away")
	for name, tc := range map[string]struct {
		tokens, rights error
		lasts          time.Duration
		problem        string
		known, well    bool
	}{
		"all is well":                      {nil, nil, time.Hour, "", true, true},
		"no token can be known, at first":  {away, nil, lasting - time.Millisecond, "", false, false},
		"no token can be known":            {away, nil, lasting, "creating a TokenReview: away", true, false},
		"no right can be known":            {nil, notAllowed("subjectaccessreviews"), lasting, "creating a SubjectAccessReview: subjectaccessreviews is forbidden: no role", true, false},
		"neither":                          {away, away, lasting, "creating a TokenReview: away", true, false},
		"no right can be known, at first ": {nil, away, 0, "", false, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := probed(func() (error, error) { return tc.tokens, tc.rights })
				if _, known := c.Health(); known || !c.IsWell() {
					t.Error("something is known before anything was asked")
				}
				c.Probe(t.Context())
				<-time.After(tc.lasts)
				c.Probe(t.Context())
				if problem, known := c.Health(); problem != tc.problem || known != tc.known || c.IsWell() != tc.well {
					t.Errorf("got %q, known %v, well %v", problem, known, c.IsWell())
				}
			})
		})
	}
}

// probed is a cluster that answers probes with these errors.
func probed(fails func() (tokens, rights error)) *Cluster {
	return clusterOf(func(_ context.Context, spec authenticationv1.TokenReviewSpec) (authenticationv1.TokenReviewStatus, error) {
		of, _ := fails()
		if spec.Token != nobody || len(spec.Audiences) != 1 {
			of = errors.New("a probe shows " + spec.Token)
		}
		return authenticationv1.TokenReviewStatus{Error: "unknown"}, of
	}, func(context.Context, authorizationv1.SubjectAccessReviewSpec) (authorizationv1.SubjectAccessReviewStatus, error) {
		_, of := fails()
		return authorizationv1.SubjectAccessReviewStatus{}, of
	})
}

func TestTroubleThatPassesIsNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var now atomic.Pointer[error]
		c := probed(func() (error, error) {
			if err := now.Load(); err != nil {
				return *err, nil
			}
			return nil, nil
		})
		health := func(err error) string {
			now.Store(&err)
			c.Probe(t.Context())
			problem, known := c.Health()
			if !known {
				t.Errorf("after %v: nothing is known", err)
			}
			return problem
		}
		for range 4 { // each is the first one
			if got := health(nil) + health(errors.New("away")); got != "" {
				t.Errorf("reported: %q", got)
			}
			<-time.After(lasting - time.Second)
		}
		<-time.After(time.Second)
		if got := health(errors.New("away, at another port")); !strings.HasSuffix(got, ": away") {
			t.Errorf("the same trouble in other words is news: %q", got)
		}
		if got := health(notAllowed("tokenreviews")); !strings.Contains(got, "forbidden") {
			t.Errorf("another trouble is not: %q", got)
		}
		if got := health(nil); got != "" {
			t.Errorf("after the end: %q", got)
		}
	})
}

func TestAProbeThatIsCutShortSaysNothing(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	c := probed(func() (error, error) { return context.Canceled, context.Canceled })
	c.Probe(ctx)
	if !c.IsWell() {
		t.Error("the cluster is unwell since the proxy ends")
	}
}
