package apply

import (
	"context"
	"fmt"
	"reflect"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
)

// Unstructured applies an object of somebody else's kind, unless the live one has each field as it is wanted, and returns it as
// the cluster has it, nil when it was written: what is made of it is not known yet. Without its type nobody can tell from
// the managed fields what is owned of it, so that a field which is not wanted any more makes no difference.
func Unstructured(ctx context.Context, c client.Client, wanted *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	live := &unstructured.Unstructured{}
	live.SetGroupVersionKind(wanted.GroupVersionKind())
	err := c.Get(ctx, client.ObjectKeyFromObject(wanted), live)
	if client.IgnoreNotFound(err) != nil {
		return nil, fmt.Errorf("reading %s %s: %w", wanted.GetKind(), wanted.GetName(), err)
	}
	if err == nil && has(live.Object, wanted.Object) {
		return live, nil
	}
	err = c.Apply(ctx, client.ApplyConfigurationFromUnstructured(wanted.DeepCopy()), client.FieldOwner(configv1alpha1.FieldManager), client.ForceOwnership)
	if err != nil {
		return nil, fmt.Errorf("applying %s %s: %w", wanted.GetKind(), wanted.GetName(), err)
	}
	return nil, nil
}

// has says whether a value has all of another: an object may have more fields, a list not.
func has(live, wanted any) bool {
	fields, isObject := wanted.(map[string]any)
	if !isObject {
		return reflect.DeepEqual(live, wanted)
	}
	present, isObject := live.(map[string]any)
	for name, value := range fields {
		if !isObject || !has(present[name], value) {
			return false
		}
	}
	return isObject
}
