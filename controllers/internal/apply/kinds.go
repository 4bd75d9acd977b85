package apply

import (
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	appsv1ac "k8s.io/client-go/applyconfigurations/apps/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	policyv1ac "k8s.io/client-go/applyconfigurations/policy/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
)

// Deployment applies a Deployment and returns it as the cluster has it.
func Deployment(ctx context.Context, c client.Client, wanted *appsv1ac.DeploymentApplyConfiguration) (*appsv1.Deployment, error) {
	live := &appsv1.Deployment{}
	return live, object(ctx, c, live, wanted, appsv1ac.ExtractDeployment)
}

// Replicas is the number of replicas that this field manager gave a Deployment and that is in force; nil when it gave none,
// or when somebody else has set another.
func Replicas(live *appsv1.Deployment) (*int32, error) {
	owned, err := appsv1ac.ExtractDeployment(live, configv1alpha1.FieldManager)
	if err != nil {
		return nil, fmt.Errorf("reading what is owned of Deployment %s: %w", live.Name, err)
	}
	if owned.Spec == nil {
		return nil, nil
	}
	return owned.Spec.Replicas, nil
}

// DaemonSet applies a DaemonSet and returns it as the cluster has it.
func DaemonSet(ctx context.Context, c client.Client, wanted *appsv1ac.DaemonSetApplyConfiguration) (*appsv1.DaemonSet, error) {
	live := &appsv1.DaemonSet{}
	return live, object(ctx, c, live, wanted, appsv1ac.ExtractDaemonSet)
}

// Service applies a Service and returns it as the cluster has it.
func Service(ctx context.Context, c client.Client, wanted *corev1ac.ServiceApplyConfiguration) (*corev1.Service, error) {
	live := &corev1.Service{}
	return live, object(ctx, c, live, wanted, corev1ac.ExtractService)
}

// ConfigMap applies a ConfigMap and returns it as the cluster has it.
func ConfigMap(ctx context.Context, c client.Client, wanted *corev1ac.ConfigMapApplyConfiguration) (*corev1.ConfigMap, error) {
	live := &corev1.ConfigMap{}
	return live, object(ctx, c, live, wanted, corev1ac.ExtractConfigMap)
}

// Secret applies a Secret and returns it as the cluster has it. The client must not read Secrets from a cache.
func Secret(ctx context.Context, c client.Client, wanted *corev1ac.SecretApplyConfiguration) (*corev1.Secret, error) {
	live := &corev1.Secret{}
	return live, object(ctx, c, live, wanted, corev1ac.ExtractSecret)
}

// SecretOver applies a Secret over the very version that the caller decided upon, nil for none, as Over does.
func SecretOver(ctx context.Context, c client.Client, live *corev1.Secret, wanted *corev1ac.SecretApplyConfiguration) (written bool, err error) {
	if live != nil {
		inForce, err := isInForce(live, wanted, corev1ac.ExtractSecret)
		if inForce || err != nil {
			return false, err
		}
		wanted.WithResourceVersion(live.ResourceVersion)
	}
	return true, force(ctx, c, wanted)
}

// Over applies a ConfigMap over the very version that the caller decided upon, nil for none, and says whether it
// wrote: if somebody was faster, the API server answers with a conflict.
func Over(ctx context.Context, c client.Client, live *corev1.ConfigMap, wanted *corev1ac.ConfigMapApplyConfiguration) (written bool, err error) {
	if live != nil {
		inForce, err := isInForce(live, wanted, corev1ac.ExtractConfigMap)
		if inForce || err != nil {
			return false, err
		}
		wanted.WithResourceVersion(live.ResourceVersion)
	}
	return true, force(ctx, c, wanted)
}

// PersistentVolumeClaim applies a claim and returns it as the cluster has it.
func PersistentVolumeClaim(ctx context.Context, c client.Client, wanted *corev1ac.PersistentVolumeClaimApplyConfiguration) (*corev1.PersistentVolumeClaim, error) {
	live := &corev1.PersistentVolumeClaim{}
	return live, object(ctx, c, live, wanted, corev1ac.ExtractPersistentVolumeClaim)
}

// PodDisruptionBudget applies a budget and returns it as the cluster has it.
func PodDisruptionBudget(ctx context.Context, c client.Client, wanted *policyv1ac.PodDisruptionBudgetApplyConfiguration) (*policyv1.PodDisruptionBudget, error) {
	live := &policyv1.PodDisruptionBudget{}
	return live, object(ctx, c, live, wanted, policyv1ac.ExtractPodDisruptionBudget)
}
