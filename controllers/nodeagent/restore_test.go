package nodeagent

import (
	"context"
	"errors"
	"testing"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
)

func TestTheNodeIsRestoredOnlyWhenTheAgentIsUninstalled(t *testing.T) {
	t.Parallel()
	daemonSet := &appsv1.DaemonSet{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: configv1alpha1.NodeAgentName}}
	going := daemonSet.DeepCopy()
	going.Finalizers = []string{"foregroundDeletion"}
	going.DeletionTimestamp = new(metav1.Now())
	elsewhere := daemonSet.DeepCopy()
	elsewhere.Namespace = "default"
	home := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}
	forbidden := apierrors.NewForbidden(appsv1.Resource("daemonsets"), configv1alpha1.NodeAgentName, nil)
	ending := home.DeepCopy()
	ending.Finalizers = []string{"kubernetes"}
	ending.DeletionTimestamp = new(metav1.Now())
	for name, tc := range map[string]struct {
		there  client.Object
		home   client.Object
		getErr error
		want   []string
	}{
		"the DaemonSet is there":         {there: daemonSet, home: home, want: []string{"docker.io"}},
		"it is being deleted":            {there: going, home: home, want: []string{}},
		"it is gone":                     {there: elsewhere, home: home, want: []string{}},
		"its namespace is being deleted": {there: daemonSet, home: ending, want: []string{}},
		"the API server cannot be asked": {there: daemonSet, home: home, getErr: errors.New("refused"), want: []string{"docker.io"}},
		"the API server does not answer": {there: elsewhere, home: home, getErr: context.DeadlineExceeded, want: []string{"docker.io"}},
		"its rights are taken away":      {there: daemonSet, home: home, getErr: forbidden, want: []string{}},
		"its account is taken away":      {there: daemonSet, home: home, getErr: apierrors.NewUnauthorized("no such account"), want: []string{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, configMap(t, configuration(5, hub("docker-io", "docker.io"))), ownNode(nil), ownMirror(), tc.there.DeepCopyObject().(client.Object), tc.home.DeepCopyObject().(client.Object))
			b.mustPass()
			reader := interceptor.NewClient(b.api.(client.WithWatch), interceptor.Funcs{
				Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, o client.Object, opts ...client.GetOption) error {
					if tc.getErr != nil {
						return tc.getErr
					}
					return c.Get(ctx, key, o, opts...)
				},
			})
			if err := restoreWhenUninstalled(t.Context(), reader, namespace, b.keeper, logr.Discard()); err != nil {
				t.Errorf("restoreWhenUninstalled: %v", err)
			}
			if got := b.hosts(); !cmp.Equal(got, tc.want) {
				t.Errorf("hosts %q, want %q", got, tc.want)
			}
		})
	}
}

func TestARestoreThatFailsSaysSo(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.keeper.files = brokenFiles{}
	err := restoreWhenUninstalled(t.Context(), b.api, namespace, b.keeper, logr.Discard())
	if !errors.Is(err, errBroken) {
		t.Errorf("restoreWhenUninstalled: %v, want %v", err, errBroken)
	}
}
