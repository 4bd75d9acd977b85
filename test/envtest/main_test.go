// Package envtest runs the manager against a real kube-apiserver and etcd, with the rights of its manifests and no
// others. There is no kubelet and no controller-manager: the tests play them, step by step.
package envtest

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/api/v1alpha1"
	"github.com/registryhub/registryhub/controllers"
	"github.com/registryhub/registryhub/test/gitops"
)

const (
	namespace = "registryhub-system"
	image     = "registry.example.com/registryhub:test"
	// managerUser is who the manager is to the API server: its ServiceAccount.
	managerUser = "system:serviceaccount:" + namespace + ":" + configv1alpha1.ManagerName
	// registryUser is who registries are to it that let in ServiceAccounts.
	registryUser = "system:serviceaccount:" + namespace + ":" + configv1alpha1.RegistryName
	// grace and patience are short, so that tests can outlast them. Times of objects have whole seconds.
	grace    = 4 * time.Second
	patience = 12 * time.Second
)

// The one cluster of the suite: the tests share it, one after the other.
var (
	k8s      client.Client
	cluster  *rest.Config
	writes   atomic.Int64
	observed *witness
	operator *process
	judges   *gitops.Judges
	// The parts of the cluster that tests make trouble with.
	server *apiServer
	etcd   *slowEtcd
)

func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "envtest:", err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	if os.Getenv("KUBEBUILDER_ASSETS") == "" {
		return 1, errors.New("KUBEBUILDER_ASSETS is not set: it names the folder of kube-apiserver and etcd, which `go run ./hack/cluster assets` (in the repository's root) makes and prints; `make test-envtest` does both")
	}
	log := logr.Discard()
	if os.Getenv("VERBOSE") != "" {
		log = logr.FromSlogHandler(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.Level(-2)}))
	}
	ctrl.SetLogger(log)
	environment := &envtest.Environment{
		CRDDirectoryPaths:     []string{filepath.Join("..", "..", "config", "crd", "bases")},
		ErrorIfCRDPathMissing: true,
	}
	requests, err := auditOf(environment)
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, requests.remove()) }()
	environment.ControlPlane.GetAPIServer().Configure().Set("service-cluster-ip-range", "10.0.0.0/16,fd00:10::/112")
	if server, err = makeMortal(environment); err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, server.remove()) }()
	if etcd, err = putBetween(environment); err != nil {
		return 1, err
	}
	defer etcd.Close()
	if cluster, err = environment.Start(); err != nil {
		return 1, fmt.Errorf("starting kube-apiserver and etcd: %w", err)
	}
	defer func() { err = errors.Join(err, environment.Stop()) }()
	if err := prepare(log); err != nil {
		return 1, err
	}
	defer observed.stop()
	defer func() { err = errors.Join(err, operator.stop()) }()
	code = m.Run()
	if panics := counted("controller_runtime_reconcile_panics_total"); panics > 0 {
		return 1, fmt.Errorf("%.0f reconciles panicked: VERBOSE=1 shows them", panics)
	}
	if code != 0 || flag.Lookup("test.run").Value.String() != "" {
		return code, nil
	}
	return 0, checkTheWhole(requests)
}

// checkTheWhole is what only all tests together can show.
func checkTheWhole(requests *audit) error {
	if unseen := observed.unseen(); len(unseen) > 0 {
		return fmt.Errorf("no test brought these states of the table in docs/conditions.md about: %+v", unseen)
	}
	var unused []string
	for user, files := range map[string][]string{managerUser: rolesOfTheManager, registryUser: rolesOfRegistries} {
		more, err := unusedRights(user, requests.file(), files)
		if err != nil {
			return err
		}
		unused = append(unused, more...)
	}
	if len(unused) > 0 {
		return fmt.Errorf("config/ gives rights that nothing made use of:\n%s", strings.Join(unused, "\n"))
	}
	return nil
}

func prepare(log logr.Logger) error {
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), v1alpha1.AddToScheme(scheme)); err != nil {
		return err
	}
	cluster.QPS = -1
	var err error
	if k8s, err = client.New(cluster, client.Options{Scheme: scheme}); err != nil {
		return err
	}
	if err := applyManifests(context.Background(),
		"default/namespace.yaml",
		"rbac/manager-service-account.yaml", "rbac/manager-cluster-role.yaml", "rbac/manager-role.yaml", "rbac/manager-events-role.yaml",
		"rbac/registry-service-account.yaml", "rbac/registry-cluster-role.yaml",
	); err != nil {
		return err
	}
	if judges, err = gitops.ReadJudges(filepath.Join("..", "..")); err != nil {
		return err
	}
	if observed, err = watchHubs(); err != nil {
		return err
	}
	operator, err = startOperator(log)
	return err
}

// process is a running manager.
type process struct {
	cancel context.CancelFunc
	done   chan error
	log    logr.Logger
	// wrote counts the requests of this one that are not reads, its Lease aside, whatever their answer.
	wrote atomic.Int64
	// severed keeps its requests from the API server.
	severed atomic.Bool
}

// startOperator starts the manager as its ServiceAccount, so that a right that its manifests lack is missed. What is more
// than usual in its configuration comes as lines.
func startOperator(log logr.Logger, more ...string) (*process, error) {
	return startOperatorIn(surroundings{patience: patience}, log, more...)
}

// surroundings are what is peculiar about where a manager runs.
type surroundings struct {
	// between stands between it and the API server; nil for nothing.
	between func(next http.RoundTripper) http.RoundTripper
	// skew is how far its clock is ahead of the API server's.
	skew time.Duration
	// patience is its withdrawTimeout.
	patience time.Duration
}

func (s surroundings) now() time.Time { return time.Now().Add(s.skew) }

func startOperatorIn(where surroundings, log logr.Logger, more ...string) (*process, error) {
	config := rest.CopyConfig(cluster)
	config.Impersonate.UserName = managerUser
	config.Impersonate.Groups = []string{"system:serviceaccounts", "system:serviceaccounts:" + namespace, "system:authenticated"}
	p := &process{done: make(chan error, 1), log: log}
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return line{process: p, next: next} })
	if where.between != nil {
		config.Wrap(where.between)
	}
	configuration, err := configv1alpha1.DecodeOperatorConfiguration([]byte(fmt.Sprintf(
		"apiVersion: config.registryhub.io/v1alpha1\nkind: OperatorConfiguration\nimage: %s\nnodeGracePeriod: %s\nwithdrawTimeout: %s\n",
		image, grace, where.patience) + strings.Join(more, "\n")))
	if err != nil {
		return nil, err
	}
	mgr, err := controllers.NewManager(config, configuration, controllers.Options{MetricsAddress: "0", HealthAddress: "0", LeaderElection: true, Logger: log, Now: where.now})
	if err != nil {
		return nil, err
	}
	var ctx context.Context
	ctx, p.cancel = context.WithCancel(context.Background())
	go func() { p.done <- mgr.Start(ctx) }()
	return p, nil
}

func (p *process) stop() error {
	p.cancel()
	return <-p.done
}

// restart stops the manager and starts another, which knows nothing of what the first one did.
func restart(t *testing.T, more ...string) {
	t.Helper()
	log := operator.log
	if err := operator.stop(); err != nil {
		t.Fatalf("stopping the manager: %v", err)
	}
	var err error
	if operator, err = startOperator(log, more...); err != nil {
		t.Fatalf("starting the manager again: %v", err)
	}
}

// line is what a manager's requests go over. It counts those that are not reads.
type line struct {
	process *process
	next    http.RoundTripper
}

func (l line) RoundTrip(request *http.Request) (*http.Response, error) {
	if l.process.severed.Load() {
		return nil, errors.New("the line to the API server is severed")
	}
	if request.Method != http.MethodGet && !aboutTheLease(request.URL.Path) {
		l.process.wrote.Add(1)
		writes.Add(1)
		if os.Getenv("VERBOSE") != "" {
			fmt.Fprintln(os.Stderr, "WRITE", request.Method, request.URL.Path)
		}
	}
	return l.next.RoundTrip(request)
}

// aboutTheLease: the leader writes it every two seconds, and tells of it in core events, as nothing else of ours does.
func aboutTheLease(path string) bool {
	return strings.Contains(path, "/leases") || path == "/api/v1/namespaces/"+namespace+"/events"
}
