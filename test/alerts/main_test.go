// Package alerts holds config/prometheus and config/grafana to what the programs tell: the rules by promtool's unit tests, and
// every query by a real Prometheus that scrapes a real proxy and a manager's metrics.
package alerts

import (
	"context"
	"path/filepath"
	"sync"
	"testing"

	"go.uber.org/goleak"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/go-logr/logr"

	"github.com/registryhub/registryhub/hack/cluster/assets"
)

func TestMain(m *testing.M) {
	log.SetLogger(logr.Discard())
	goleak.VerifyTestMain(m)
}

// root is the repository, seen from this package.
var root = filepath.Join("..", "..")

// programs are Prometheus and its promtool.
type programs struct{ server, promtool string }

var provide = sync.OnceValues(func() (programs, error) {
	store, err := assets.Find(func(string, ...any) {})
	if err != nil {
		return programs{}, err
	}
	server, promtool, err := store.Prometheus(context.Background())
	return programs{server, promtool}, err
})

func mustProvide(t *testing.T) programs {
	t.Helper()
	t.Log("Prometheus is built the first time, which takes minutes")
	p, err := provide()
	must(t, err)
	return p
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}
