package proxy

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr"
	"github.com/go-logr/logr/testr"
	"github.com/prometheus/client_golang/prometheus"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	config "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/proxy/access"
	"github.com/registryhub/registryhub/proxy/access/kube"
	"github.com/registryhub/registryhub/proxy/metrics"
	"github.com/registryhub/registryhub/proxy/store/fsstore"
)

func TestNobodyMayDoAnythingWhileItCannotBeKnownWhoMay(t *testing.T) {
	content, err := fsstore.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	cfg := &config.ProxyConfiguration{Hub: "internal", Local: &config.LocalConfiguration{Access: config.LocalAccess{Anonymous: "Push"}}}
	cfg.Default()
	e, err := newRegistryEngine(cfg, content, &upkeep{}, testr.New(t), metrics.New(prometheus.NewRegistry()))
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodPost, "/v2/app/blobs/uploads/", nil)
	may := func() bool { return e.guard.Check(http.Header{}, r, "app", access.Push) == nil }
	if !may() {
		t.Error("what is for anyone may not be done")
	}
	broken := filepath.Join(t.TempDir(), "users")
	if err := os.WriteFile(broken, []byte("alice:cleartext\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	next := cfg.DeepCopy()
	next.Local.Access = config.LocalAccess{Anonymous: "Push", HtpasswdFile: broken}
	if err := e.configure(next); err == nil {
		t.Error("users that cannot be read are taken")
	}
	if may() || e.guard.MayMount(r, "other") {
		t.Error("it is open while nobody knows to whom")
	}
	if err := e.configure(cfg); err != nil || !may() {
		t.Errorf("when it is known again: %v", err)
	}
}

// A Pod is told to let in those of the cluster before there is one that can ask about them.
func TestWithoutTheClusterItsOwnUsersGoOn(t *testing.T) {
	t.Setenv("KUBERNETES_SERVICE_HOST", "")
	content, err := fsstore.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	cfg := &config.ProxyConfiguration{Hub: "internal", Local: &config.LocalConfiguration{Access: config.LocalAccess{Anonymous: "Pull"}}}
	cfg.Default()
	e, err := newRegistryEngine(cfg, content, &upkeep{}, testr.New(t), metrics.New(prometheus.NewRegistry()))
	if err != nil {
		t.Fatal(err)
	}
	next := cfg.DeepCopy()
	next.Local.Access.Kubernetes = &config.KubernetesAccess{}
	next.Default()
	if err := e.configure(next); err == nil || !strings.Contains(err.Error(), "local.access.kubernetes") {
		t.Errorf("a cluster that cannot be asked is taken: %v", err)
	}
	r := httptest.NewRequest(http.MethodGet, "/v2/app/tags/list", nil)
	if err := e.guard.Check(http.Header{}, r, "app", access.Pull); err != nil {
		t.Errorf("anyone may pull no more: %v", err)
	}
	if e.guard.Check(http.Header{}, r, "app", access.Push) == nil {
		t.Error("anyone may push")
	}
	if _, err := newRegistryEngine(next, content, &upkeep{}, testr.New(t), metrics.New(prometheus.NewRegistry())); err == nil {
		t.Error("it starts where it cannot let those in that it should")
	}
}

func TestPushesAreRefusedAboveTheHighWatermark(t *testing.T) {
	for _, tc := range []struct {
		used, capacity int64
		percent        int32
		short          bool
	}{{0, 0, 90, false}, {89, 100, 90, false}, {90, 100, 90, true}, {1 << 60, 1<<60 + 1<<58, 90, false}, {1 << 60, 1 << 60, 100, true}} {
		if got := above(tc.used, tc.capacity, tc.percent); got != tc.short {
			t.Errorf("%d of %d at %d %%: got %v, want %v", tc.used, tc.capacity, tc.percent, got, tc.short)
		}
	}
}

// reviewer is an API server that answers, or does not.
type reviewer struct{ err atomic.Pointer[error] }

func (r *reviewer) answer() error { return *r.err.Load() }

type tokenReviews struct{ *reviewer }

func (r tokenReviews) Create(_ context.Context, review *authenticationv1.TokenReview, _ metav1.CreateOptions) (*authenticationv1.TokenReview, error) {
	return review, r.answer()
}

type rightReviews struct{ *reviewer }

func (r rightReviews) Create(_ context.Context, review *authorizationv1.SubjectAccessReview, _ metav1.CreateOptions) (*authorizationv1.SubjectAccessReview, error) {
	return review, r.answer()
}

func TestARegistryTellsWhetherTheClusterAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := &reviewer{}
		e := &registryEngine{room: &room{}}
		said := func() string {
			var report config.ProxyReport
			if e.tell(&report); report.Identities == nil {
				return "nothing"
			}
			return report.Identities.Problem
		}
		ctx, stop := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { e.probe(ctx) })
		<-time.After(kube.ProbeEvery / 2)
		e.cluster.Store(kube.New(kube.Options{Tokens: tokenReviews{api}, Rights: rightReviews{api}, Logger: logr.Discard(), Metrics: metrics.New(prometheus.NewRegistry())}))
		for _, step := range []struct {
			err   error
			lasts time.Duration
			want  string
		}{
			{nil, 0, "nothing"},
			{nil, kube.ProbeEvery, ""},
			{errors.New(strings.Repeat("x", 2000)), kube.ProbeEvery/2 + time.Second, ""},
			{errors.New("another, of the same kind"), 31 * time.Second, "creating a TokenReview: " + strings.Repeat("x", 1000)},
			{nil, kube.ProbeAgainEvery, ""},
		} {
			api.err.Store(&step.err)
			<-time.After(step.lasts)
			synctest.Wait()
			if got := said(); got != step.want {
				t.Errorf("said %.40q, want %.40q", got, step.want)
			}
		}
		stop()
		running.Wait()
	})
}
