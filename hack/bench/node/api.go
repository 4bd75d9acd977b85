package node

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/controller-runtime/pkg/log"

	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/api/v1alpha1"
)

// The names of what the agent watches.
const (
	nodeName  = "bench"
	namespace = "registryhub-system"
)

// apiServer is a real kube-apiserver, with what an agent watches.
type apiServer struct {
	environment *envtest.Environment
	client      client.Client
	kubeconfig  string
}

// startAPI starts it. Assets has its binaries, root is the source tree.
func startAPI(ctx context.Context, assets, root, directory string) (*apiServer, error) {
	log.SetLogger(logr.Discard()) // envtest has nothing to tell that its errors do not
	a := &apiServer{kubeconfig: filepath.Join(directory, "kubeconfig"), environment: &envtest.Environment{
		BinaryAssetsDirectory: assets, CRDDirectoryPaths: []string{filepath.Join(root, "config", "crd", "bases")}, ErrorIfCRDPathMissing: true,
	}}
	if _, err := a.environment.Start(); err != nil {
		return nil, fmt.Errorf("starting an API server: %w", err)
	}
	if err := a.prepare(ctx); err != nil {
		return nil, errors.Join(err, a.environment.Stop())
	}
	return a, nil
}

func (a *apiServer) stop() error { return a.environment.Stop() }

func (a *apiServer) prepare(ctx context.Context) error {
	scheme := runtime.NewScheme()
	if err := errors.Join(corev1.AddToScheme(scheme), v1alpha1.AddToScheme(scheme)); err != nil {
		return fmt.Errorf("naming the kinds of objects: %w", err)
	}
	var err error
	if a.client, err = client.New(a.environment.Config, client.Options{Scheme: scheme}); err != nil {
		return fmt.Errorf("making a client of the API server: %w", err)
	}
	for _, object := range []client.Object{
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}},
		&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: nodeName}},
		&v1alpha1.NodeMirror{ObjectMeta: metav1.ObjectMeta{Name: nodeName}},
	} {
		if err := a.client.Create(ctx, object); err != nil {
			return fmt.Errorf("making the objects of a node: %w", err)
		}
	}
	if err := os.WriteFile(a.kubeconfig, a.environment.KubeConfig, 0o600); err != nil {
		return fmt.Errorf("writing the agent's kubeconfig: %w", err)
	}
	return nil
}

// configure writes a NodeConfiguration as the operator does.
func (a *apiServer) configure(ctx context.Context, configuration *configv1alpha1.NodeConfiguration) error {
	text, err := configv1alpha1.Encode(configuration)
	if err != nil {
		return fmt.Errorf("encoding a NodeConfiguration: %w", err)
	}
	object := &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: configv1alpha1.NodeConfigurationName},
		Data:       map[string]string{configv1alpha1.NodeConfigurationKey: string(text)},
	}
	if err = a.client.Update(ctx, object); err != nil {
		err = client.IgnoreAlreadyExists(a.client.Create(ctx, object))
	}
	if err != nil {
		return fmt.Errorf("writing a NodeConfiguration: %w", err)
	}
	return nil
}

// report is what the agent has said.
func (a *apiServer) report(ctx context.Context) (v1alpha1.NodeMirrorStatus, error) {
	var mirror v1alpha1.NodeMirror
	if err := a.client.Get(ctx, client.ObjectKey{Name: nodeName}, &mirror); err != nil {
		return mirror.Status, fmt.Errorf("reading the agent's report: %w", err)
	}
	return mirror.Status, nil
}
