package kube

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr"
	"github.com/go-logr/logr/funcr"
	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/registryhub/registryhub/proxy/access"
	"github.com/registryhub/registryhub/proxy/distspec"
	"github.com/registryhub/registryhub/proxy/metrics"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const audience = "registryhub.io/internal"

// tokens answers TokenReviews.
type tokens func(ctx context.Context, spec authenticationv1.TokenReviewSpec) (authenticationv1.TokenReviewStatus, error)

func (f tokens) Create(ctx context.Context, review *authenticationv1.TokenReview, _ metav1.CreateOptions) (*authenticationv1.TokenReview, error) {
	status, err := f(ctx, review.Spec)
	return &authenticationv1.TokenReview{Status: status}, err
}

// rights answers SubjectAccessReviews.
type rights func(ctx context.Context, spec authorizationv1.SubjectAccessReviewSpec) (authorizationv1.SubjectAccessReviewStatus, error)

func (f rights) Create(ctx context.Context, review *authorizationv1.SubjectAccessReview, _ metav1.CreateOptions) (*authorizationv1.SubjectAccessReview, error) {
	status, err := f(ctx, review.Spec)
	return &authorizationv1.SubjectAccessReview{Status: status}, err
}

func clusterOf(t tokens, r rights) *Cluster {
	return New(Options{Hub: "internal", Audience: audience, Tokens: t, Rights: r, Logger: logr.Discard(), Metrics: metrics.New(prometheus.NewRegistry())})
}

// goodFor is a token for the registry, until a while from now.
func goodFor(d time.Duration) string {
	return jwt(fmt.Sprintf(`{"aud":[%q],"exp":%d}`, audience, time.Now().Add(d).Unix()))
}

func statusOf(err error) int {
	if e, found := errors.AsType[*distspec.Error](err); found {
		return e.Status
	}
	return 0
}

func builder() authenticationv1.TokenReviewStatus {
	return authenticationv1.TokenReviewStatus{Authenticated: true, Audiences: []string{audience}, User: authenticationv1.UserInfo{
		Username: "system:serviceaccount:team:builder", UID: "uid", Groups: []string{"system:authenticated"}, Extra: map[string]authenticationv1.ExtraValue{"pod": {"a"}},
	}}
}

func TestWhoseATokenIs(t *testing.T) {
	unaware, nameless, other := builder(), builder(), builder()
	unaware.Audiences, nameless.User.Username, other.Audiences = nil, "", []string{"another"}
	for name, tc := range map[string]struct {
		token  string
		status authenticationv1.TokenReviewStatus
		err    error
		asked  bool
		want   int // 0: the builder's
	}{
		"a ServiceAccount's":                {goodFor(time.Hour), builder(), nil, true, 0},
		"nobody's":                          {goodFor(time.Hour), authenticationv1.TokenReviewStatus{Error: "x"}, nil, true, 401},
		"of who knows of no audiences":      {goodFor(time.Hour), unaware, nil, true, 401},
		"found to be for somebody else":     {goodFor(time.Hour), other, nil, true, 401},
		"of nobody in particular":           {goodFor(time.Hour), nameless, nil, true, 401},
		"while the API server is away":      {goodFor(time.Hour), builder(), errors.New("away"), true, 503},
		"that says it is for somebody else": {jwt(`{"aud":"other","exp":99999999999}`), builder(), nil, false, 401},
		"that says it has expired":          {goodFor(-time.Second), builder(), nil, false, 401},
		"that never expires":                {jwt(`{"aud":"` + audience + `"}`), builder(), nil, false, 401},
		"none":                              {"secret", builder(), nil, false, 401},
	} {
		t.Run(name, func(t *testing.T) {
			asked := false
			c := clusterOf(func(_ context.Context, spec authenticationv1.TokenReviewSpec) (authenticationv1.TokenReviewStatus, error) {
				if diff := cmp.Diff(authenticationv1.TokenReviewSpec{Token: tc.token, Audiences: []string{audience}}, spec); diff != "" {
					t.Errorf("asked (-want +got):\n%s", diff)
				}
				asked = true
				return tc.status, tc.err
			}, nil)
			got, expires, err := c.Identify(t.Context(), tc.token)
			if statusOf(err) != tc.want || asked != tc.asked {
				t.Errorf("got %v, and was asked %v", err, asked)
			}
			want := access.Identity{Name: "system:serviceaccount:team:builder", UID: "uid", Groups: []string{"system:authenticated"}, Extra: map[string][]string{"pod": {"a"}}}
			if diff := cmp.Diff(want, got); tc.want == 0 && (diff != "" || time.Until(expires) < 59*time.Minute) {
				t.Errorf("until %v (-want +got):\n%s", expires, diff)
			}
		})
	}
}

func TestWhatSomebodyMayDo(t *testing.T) {
	who := access.Identity{Name: "system:serviceaccount:team:builder", UID: "uid", Groups: []string{"g"}, Extra: map[string][]string{"pod": {"a"}}}
	for name, tc := range map[string]struct {
		said  map[string]authorizationv1.SubjectAccessReviewStatus
		err   error
		want  int
		tried string
	}{
		"by the name itself": {map[string]authorizationv1.SubjectAccessReviewStatus{"internal:team/app": {Allowed: true}}, nil, 0, "internal:team/app"},
		"by the folder":      {map[string]authorizationv1.SubjectAccessReviewStatus{"internal:team/*": {Allowed: true}}, nil, 0, "internal:team/app internal:team/*"},
		"by everything":      {map[string]authorizationv1.SubjectAccessReviewStatus{"internal:*": {Allowed: true}}, nil, 0, "internal:team/app internal:team/* internal:*"},
		"by nothing":         {nil, nil, 403, "internal:team/app internal:team/* internal:*"},
		"by what somebody else forbids": {map[string]authorizationv1.SubjectAccessReviewStatus{
			"internal:team/app": {Denied: true}, "internal:*": {Allowed: true},
		}, nil, 403, "internal:team/app"},
		"while the API server is away": {nil, errors.New("away"), 503, "internal:team/app"},
	} {
		t.Run(name, func(t *testing.T) {
			var tried []string
			c := clusterOf(nil, func(_ context.Context, spec authorizationv1.SubjectAccessReviewSpec) (authorizationv1.SubjectAccessReviewStatus, error) {
				want := authorizationv1.SubjectAccessReviewSpec{
					User: who.Name, UID: "uid", Groups: who.Groups, Extra: map[string]authorizationv1.ExtraValue{"pod": {"a"}},
					ResourceAttributes: &authorizationv1.ResourceAttributes{
						Group: "registryhub.io", Version: "*", Resource: "registryhubs", Subresource: "repositories", Verb: "push", Name: spec.ResourceAttributes.Name,
					},
				}
				if diff := cmp.Diff(want, spec); diff != "" {
					t.Errorf("asked (-want +got):\n%s", diff)
				}
				tried = append(tried, spec.ResourceAttributes.Name)
				return tc.said[spec.ResourceAttributes.Name], tc.err
			})
			for range 2 { // the second time of what is kept
				if err := c.Authorize(t.Context(), who, "team/app", access.Push); statusOf(err) != tc.want {
					t.Errorf("got %v, want %d", err, tc.want)
				}
			}
			if tc.err != nil {
				tried = tried[:1]
			}
			if got := strings.Join(tried, " "); got != tc.tried {
				t.Errorf("tried %s, want %s", got, tc.tried)
			}
		})
	}
}

func TestAnAnswerIsBelievedForAMoment(t *testing.T) {
	for name, tc := range map[string]struct {
		status authenticationv1.TokenReviewStatus
		kept   time.Duration
	}{
		"a yes": {builder(), yesKept},
		"a no":  {authenticationv1.TokenReviewStatus{}, noKept},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				asked, token := 0, goodFor(time.Hour)
				c := clusterOf(func(context.Context, authenticationv1.TokenReviewSpec) (authenticationv1.TokenReviewStatus, error) {
					asked++
					return tc.status, nil
				}, nil)
				for _, step := range []struct {
					later time.Duration
					want  int
				}{{0, 1}, {tc.kept - time.Millisecond, 1}, {2 * time.Millisecond, 2}} {
					time.Sleep(step.later) //nolint:forbidigo // in the bubble's time
					if _, _, _ = c.Identify(t.Context(), token); asked != step.want {
						t.Errorf("after another %v: asked %d times, want %d", step.later, asked, step.want)
					}
				}
			})
		})
	}
}

// What is kept of a token does not outlive it.
func TestATokenThatExpiresIsNobodysAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := clusterOf(func(context.Context, authenticationv1.TokenReviewSpec) (authenticationv1.TokenReviewStatus, error) {
			return builder(), nil
		}, nil)
		token := goodFor(2 * time.Second)
		if _, _, err := c.Identify(t.Context(), token); err != nil {
			t.Error(err)
		}
		time.Sleep(2 * time.Second) //nolint:forbidigo // in the bubble's time
		if _, _, err := c.Identify(t.Context(), token); statusOf(err) != http.StatusUnauthorized {
			t.Errorf("got %v, want 401", err)
		}
	})
}

func TestManyWhoAskTheSameAreOneQuestion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked, let := 0, make(chan struct{})
		c := clusterOf(func(ctx context.Context, _ authenticationv1.TokenReviewSpec) (authenticationv1.TokenReviewStatus, error) {
			asked++
			select {
			case <-let:
			case <-ctx.Done():
			}
			return builder(), ctx.Err()
		}, nil)
		token := goodFor(time.Hour)
		leaving, leave := context.WithCancel(t.Context())
		var all sync.WaitGroup
		var known, left atomic.Int64
		for i := range 50 {
			ctx := t.Context()
			if i == 0 {
				ctx = leaving
			}
			all.Go(func() {
				if _, _, err := c.Identify(ctx, token); err == nil {
					known.Add(1)
				} else if errors.Is(err, context.Canceled) {
					left.Add(1)
				}
			})
			synctest.Wait() // the first one asks
		}
		leave()
		synctest.Wait()
		close(let)
		all.Wait()
		if asked != 1 || known.Load() != 49 || left.Load() != 1 {
			t.Errorf("asked %d times, %d were known, %d left", asked, known.Load(), left.Load())
		}
	})
}

func TestAFloodOfTokensDoesNotReachTheAPIServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked, underWay, most atomic.Int64
		c := clusterOf(func(ctx context.Context, _ authenticationv1.TokenReviewSpec) (authenticationv1.TokenReviewStatus, error) {
			asked.Add(1)
			most.Store(max(most.Load(), underWay.Add(1)))
			defer underWay.Add(-1)
			<-ctx.Done()
			return authenticationv1.TokenReviewStatus{}, ctx.Err()
		}, nil)
		var all sync.WaitGroup
		var refused atomic.Int64
		began := time.Now()
		for i := range 1000 {
			token := jwt(fmt.Sprintf(`{"aud":%q,"exp":99999999999,"jti":"%d"}`, audience, i))
			all.Go(func() {
				if _, _, err := c.Identify(t.Context(), token); statusOf(err) == http.StatusServiceUnavailable {
					refused.Add(1)
				}
			})
		}
		synctest.Wait()
		if got := refused.Load(); got != 1000-maxWaiting {
			t.Errorf("%d are refused at once, want all but %d", got, maxWaiting)
		}
		all.Wait()
		if refused.Load() != 1000 || asked.Load() > maxWaiting || most.Load() > maxUnderWay || time.Since(began) > patience {
			t.Errorf("of 1000, %d were asked about, %d at once, %d refused, within %v", asked.Load(), most.Load(), refused.Load(), time.Since(began))
		}
	})
}

func TestTheAPIServerIsAskedNoFasterThanItIsSaid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int64
		c := clusterOf(func(context.Context, authenticationv1.TokenReviewSpec) (authenticationv1.TokenReviewStatus, error) {
			asked.Add(1)
			return authenticationv1.TokenReviewStatus{}, nil
		}, nil)
		for i := range 1000 { // as fast as answers come
			_, _, _ = c.Identify(t.Context(), jwt(fmt.Sprintf(`{"aud":%q,"exp":99999999999,"jti":"%d"}`, audience, i)))
			if time.Since(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)) >= 2*time.Second {
				break
			}
		}
		if got := asked.Load(); got > burst+2*mostPerSecond+1 {
			t.Errorf("asked %d times within two seconds", got)
		}
	})
}

func TestTroubleIsToldOnceAndWithoutAToken(t *testing.T) {
	var told []string
	log := funcr.New(func(_, line string) { told = append(told, line) }, funcr.Options{Verbosity: 9})
	var trouble error
	registry := prometheus.NewRegistry()
	c := New(Options{Hub: "internal", Audience: audience, Logger: log, Metrics: metrics.New(registry), Tokens: tokens(func(context.Context, authenticationv1.TokenReviewSpec) (authenticationv1.TokenReviewStatus, error) {
		return builder(), trouble
	})})
	ask := func(n int) {
		token := jwt(fmt.Sprintf(`{"aud":%q,"exp":99999999999,"jti":"%d"}`, audience, n))
		_, _, err := c.Identify(t.Context(), token)
		for _, text := range append(told, fmt.Sprint(err)) {
			if strings.Contains(text, token) || strings.Contains(text, strings.Split(token, ".")[1]) {
				t.Errorf("a token is told: %s", text)
			}
		}
	}
	ask(0)
	trouble = errors.New("away")
	ask(1)
	ask(2)
	trouble = nil
	ask(3)
	ask(4)
	if len(told) != 2 || !strings.Contains(told[0], "away") || !strings.Contains(told[1], "again") {
		t.Errorf("told %q", told)
	}
	const want = `# HELP registryhub_proxy_reviews_total Questions to the cluster's API server by what was asked (token: whose it is, right: whether it is there) and outcome (answered, failed, held_back: too many at once).
# TYPE registryhub_proxy_reviews_total counter
registryhub_proxy_reviews_total{outcome="answered",review="right"} 0
registryhub_proxy_reviews_total{outcome="answered",review="token"} 3
registryhub_proxy_reviews_total{outcome="failed",review="right"} 0
registryhub_proxy_reviews_total{outcome="failed",review="token"} 2
registryhub_proxy_reviews_total{outcome="held_back",review="right"} 0
registryhub_proxy_reviews_total{outcome="held_back",review="token"} 0
`
	if err := testutil.GatherAndCompare(registry, strings.NewReader(want), "registryhub_proxy_reviews_total"); err != nil {
		t.Error(err)
	}
}
