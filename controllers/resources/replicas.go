package resources

import (
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	appsv1ac "k8s.io/client-go/applyconfigurations/apps/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"

	"github.com/registryhub/registryhub/api/v1alpha1"
)

const (
	// lingerSeconds is how long a Pod that another has replaced goes on serving, so that every node has heard that its
	// address is no longer among the Service's.
	lingerSeconds = 5
	// graceSeconds is that, the 25 seconds that the proxy gives requests under way, and time to spare.
	graceSeconds = 40
)

// sharesStorage says whether several Pods can write to a hub's storage.
func sharesStorage(hub *v1alpha1.RegistryHub) bool {
	claim := hub.Spec.Storage.PersistentVolumeClaim
	return hub.Spec.Storage.Type == v1alpha1.StorageS3 || claim != nil && slices.Contains(claim.AccessModes, corev1.ReadWriteMany)
}

// replicas is how many Pods a Deployment should say, nil where that is somebody else's to say. held is the number that the
// operator gave the Deployment that is there: left out of an intent, it would fall back to 1 before an autoscaler could
// take it over.
func replicas(hub *v1alpha1.RegistryHub, held *int32) *int32 {
	switch {
	case !sharesStorage(hub):
		return new(int32(1))
	case hub.Spec.Proxy.Replicas != nil:
		return hub.Spec.Proxy.Replicas
	}
	return held
}

// strategy replaces Pods one by one where two can have the storage, and otherwise ends one before it begins another: nodes
// pull from the upstream meanwhile.
func strategy(hub *v1alpha1.RegistryHub) *appsv1ac.DeploymentStrategyApplyConfiguration {
	if !sharesStorage(hub) {
		return appsv1ac.DeploymentStrategy().WithType(appsv1.RecreateDeploymentStrategyType)
	}
	return appsv1ac.DeploymentStrategy().
		WithType(appsv1.RollingUpdateDeploymentStrategyType).
		WithRollingUpdate(appsv1ac.RollingUpdateDeployment().
			WithMaxUnavailable(intstr.FromInt32(0)).
			WithMaxSurge(intstr.FromInt32(1)))
}

// linger is what a Pod does before it is told to end.
func linger() *corev1ac.LifecycleApplyConfiguration {
	return corev1ac.Lifecycle().WithPreStop(corev1ac.LifecycleHandler().WithSleep(corev1ac.SleepAction().WithSeconds(lingerSeconds)))
}
