package simulation

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/yaml"

	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/api/v1alpha1"
)

const (
	namespace   = "registryhub-system"
	managerUser = "system:serviceaccount:" + namespace + ":" + configv1alpha1.ManagerName
)

// controlPlane is a real kube-apiserver and etcd, with what the operator is installed with.
type controlPlane struct {
	environment *envtest.Environment
	config      *rest.Config
	scheme      *runtime.Scheme
	client      client.Client
	audit       audit
	// kubeconfig is the manager's: it has the rights of its manifests, and no others.
	kubeconfig string
}

// startControlPlane starts it. Assets has its binaries, root is the source tree.
func startControlPlane(ctx context.Context, assets, root, directory string) (*controlPlane, error) {
	log.SetLogger(logr.Discard()) // what goes wrong is told by what does not come about
	audit, err := newAudit(directory)
	if err != nil {
		return nil, err
	}
	c := &controlPlane{audit: audit, kubeconfig: filepath.Join(directory, "kubeconfig"), environment: &envtest.Environment{
		BinaryAssetsDirectory: assets, CRDDirectoryPaths: []string{filepath.Join(root, "config", "crd", "bases")}, ErrorIfCRDPathMissing: true,
		ControlPlaneStartTimeout: patience, ControlPlaneStopTimeout: patience,
	}}
	c.environment.ControlPlane.GetAPIServer().Configure().
		Set("audit-policy-file", audit.policy).Set("audit-log-path", audit.log).
		Set("service-cluster-ip-range", "10.96.0.0/16")
	if c.config, err = c.environment.Start(); err != nil {
		return nil, fmt.Errorf("starting an API server: %w", err)
	}
	c.config.QPS = -1
	if err := errors.Join(c.makeClient(), c.writeKubeconfig(), c.install(ctx, filepath.Join(root, "config"))); err != nil {
		return nil, errors.Join(err, c.environment.Stop())
	}
	return c, nil
}

func (c *controlPlane) stop() error { return c.environment.Stop() }

func (c *controlPlane) makeClient() (err error) {
	c.scheme = runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(c.scheme), v1alpha1.AddToScheme(c.scheme)); err != nil {
		return fmt.Errorf("naming the kinds of objects: %w", err)
	}
	if c.client, err = client.New(c.config, client.Options{Scheme: c.scheme}); err != nil {
		return fmt.Errorf("making a client of the API server: %w", err)
	}
	return nil
}

func (c *controlPlane) writeKubeconfig() error {
	user, err := c.environment.AddUser(envtest.User{
		Name: managerUser, Groups: []string{"system:serviceaccounts", "system:serviceaccounts:" + namespace},
	}, nil)
	if err != nil {
		return fmt.Errorf("making the manager's user: %w", err)
	}
	content, err := user.KubeConfig()
	if err != nil {
		return fmt.Errorf("making the manager's kubeconfig: %w", err)
	}
	if err := os.WriteFile(c.kubeconfig, content, 0o600); err != nil {
		return fmt.Errorf("writing the manager's kubeconfig: %w", err)
	}
	return nil
}

// install creates the namespace and the manager's rights.
func (c *controlPlane) install(ctx context.Context, manifests string) error {
	if err := c.client.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}); err != nil {
		return fmt.Errorf("making the operator's namespace: %w", err)
	}
	files, err := filepath.Glob(filepath.Join(manifests, "rbac", "manager-*.yaml"))
	if err != nil || len(files) == 0 {
		return fmt.Errorf("looking for the manager's rights: there are no files rbac/manager-*.yaml in %s", manifests)
	}
	for _, file := range files {
		if err := c.apply(ctx, file); err != nil {
			return fmt.Errorf("installing %s: %w", file, err)
		}
	}
	return nil
}

func (c *controlPlane) apply(ctx context.Context, file string) error {
	content, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	for documents := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(content))); ; {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		object := &unstructured.Unstructured{}
		if err == nil {
			err = yaml.Unmarshal(document, &object.Object)
		}
		if err == nil {
			err = c.client.Create(ctx, object)
		}
		if err != nil {
			return err
		}
	}
}
