package nodeagent

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/registryhub/registryhub/api/v1alpha1"
)

// report writes the outcome to the node's NodeMirror when that says otherwise. The operator makes the NodeMirror; an
// agent that is earlier waits for it.
func (r *reconciler) report(ctx context.Context, o outcome) error {
	ctx, cancel := context.WithTimeout(ctx, apiTimeout)
	defer cancel()
	logger := log.FromContext(ctx)
	var mirror v1alpha1.NodeMirror
	if err := r.client.Get(ctx, client.ObjectKey{Name: r.options.NodeName}, &mirror); apierrors.IsNotFound(err) {
		logger.V(1).Info("Waiting for the operator to make the NodeMirror", "nodeMirror", r.options.NodeName)
		return nil
	} else if err != nil {
		return err
	}
	before := mirror.DeepCopy()
	mirror.Status = o.status(before.Status, time.Now())
	if equality.Semantic.DeepEqual(before.Status, mirror.Status) {
		return nil
	}
	if err := r.client.Status().Patch(ctx, &mirror, client.MergeFrom(before)); err != nil {
		return client.IgnoreNotFound(fmt.Errorf("reporting to NodeMirror %s: %w", r.options.NodeName, err))
	}
	logger.Info("Reported to the NodeMirror", "revision", mirror.Status.Revision, "exceptions", mirror.Status.Exceptions)
	return nil
}
