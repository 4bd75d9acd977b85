// Package apply brings objects to what a builder intends, by server-side apply under one field manager.
//
// A reconcile that has nothing to change must not write. Whether an intent is in force is read from the live
// object itself: what its managedFields say that we own is extracted from it and compared with the intent. The API
// server takes a field away from us when somebody else changes its value, so that equality means that every field
// has the value that we gave it, and that we own nothing that we no longer want. Fields that others own play no
// part. Nothing is remembered between reconciles, so a restarted manager does not write either; and no hash in an
// annotation can claim what is not so.
package apply

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
)

// intent is an apply configuration of a whole object, as client-go generates them.
type intent interface {
	runtime.ApplyConfiguration
	GetName() *string
	GetNamespace() *string
	GetKind() *string
}

// object applies an intent unless it is in force, and leaves the object as the cluster has it in live.
func object[T client.Object, C intent](ctx context.Context, c client.Client, live T, wanted C, extract func(T, string) (C, error)) error {
	key := client.ObjectKey{Namespace: *wanted.GetNamespace(), Name: *wanted.GetName()}
	err := c.Get(ctx, key, live)
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("reading %s %s: %w", *wanted.GetKind(), key.Name, err)
	}
	if err == nil {
		if inForce, err := isInForce(live, wanted, extract); inForce || err != nil {
			return err
		}
	}
	if err := force(ctx, c, wanted); err != nil {
		return err
	}
	return convert(wanted, live)
}

// force applies an intent, and takes fields that others have set to something else: within what we intend, drift
// is repaired and not negotiated.
func force[C intent](ctx context.Context, c client.Client, wanted C) error {
	err := c.Apply(ctx, wanted, client.FieldOwner(configv1alpha1.FieldManager), client.ForceOwnership)
	if err != nil {
		return refused(fmt.Errorf("applying %s %s: %w", *wanted.GetKind(), *wanted.GetName(), err))
	}
	return nil
}

func isInForce[T client.Object, C intent](live T, wanted C, extract func(T, string) (C, error)) (bool, error) {
	owned, err := extract(live, configv1alpha1.FieldManager)
	if err != nil {
		return false, fmt.Errorf("reading what is owned of %s %s: %w", *wanted.GetKind(), *wanted.GetName(), err)
	}
	ownedJSON, err := json.Marshal(owned)
	if err != nil {
		return false, fmt.Errorf("encoding what is owned of %s %s: %w", *wanted.GetKind(), *wanted.GetName(), err)
	}
	wantedJSON, err := json.Marshal(wanted)
	if err != nil {
		return false, fmt.Errorf("encoding the intended %s %s: %w", *wanted.GetKind(), *wanted.GetName(), err)
	}
	return bytes.Equal(ownedJSON, wantedJSON), nil
}

// convert fills live from an apply configuration, into which the client has decoded the API server's answer.
func convert[T client.Object, C intent](answer C, live T) error {
	data, err := json.Marshal(answer)
	if err != nil {
		return fmt.Errorf("encoding the applied %s: %w", *answer.GetKind(), err)
	}
	if err := json.Unmarshal(data, live); err != nil {
		return fmt.Errorf("decoding the applied %s: %w", *answer.GetKind(), err)
	}
	return nil
}

// RefusedError says that the API server will not have what was intended, however often it is asked.
type RefusedError struct {
	// Err is the API server's answer.
	Err error
	// Invalid is true when the object itself is wrong, and false when something forbids it (a quota, a policy,
	// a StorageClass that cannot grow), which may change without the object changing.
	Invalid bool
}

// Error is the API server's message, and which object it speaks of.
func (e *RefusedError) Error() string { return e.Err.Error() }

// Unwrap gives the API server's error.
func (e *RefusedError) Unwrap() error { return e.Err }

func refused(err error) error {
	switch {
	case apierrors.IsInvalid(err), apierrors.IsBadRequest(err):
		return &RefusedError{Err: err, Invalid: true}
	case apierrors.IsForbidden(err):
		return &RefusedError{Err: err}
	}
	return err
}
