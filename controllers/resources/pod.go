package resources

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"

	"github.com/registryhub/registryhub/api/v1alpha1"
)

// unprivileged is what every container of ours is: it can gain nothing, and write nowhere but to its volumes.
func unprivileged() *corev1ac.SecurityContextApplyConfiguration {
	return corev1ac.SecurityContext().
		WithAllowPrivilegeEscalation(false).
		WithPrivileged(false).
		WithReadOnlyRootFilesystem(true).
		WithCapabilities(corev1ac.Capabilities().WithDrop("ALL")).
		WithSeccompProfile(corev1ac.SeccompProfile().WithType(corev1.SeccompProfileTypeRuntimeDefault))
}

// proxyPodSecurity gives the volume to the proxy's group. A large cache is not walked through at each start.
func proxyPodSecurity() *corev1ac.PodSecurityContextApplyConfiguration {
	return corev1ac.PodSecurityContext().
		WithRunAsNonRoot(true).
		WithRunAsUser(runAs).
		WithRunAsGroup(runAs).
		WithFSGroup(runAs).
		WithFSGroupChangePolicy(corev1.FSGroupChangeOnRootMismatch).
		WithSeccompProfile(corev1ac.SeccompProfile().WithType(corev1.SeccompProfileTypeRuntimeDefault))
}

func proxyProbe(path string, periodSeconds, failureThreshold int32) *corev1ac.ProbeApplyConfiguration {
	return corev1ac.Probe().
		WithHTTPGet(corev1ac.HTTPGetAction().WithPath(path).WithPort(intstr.FromString(DiagnosticsPortName))).
		WithPeriodSeconds(periodSeconds).
		WithFailureThreshold(failureThreshold).
		WithTimeoutSeconds(2)
}

func resourceRequirements(given corev1.ResourceRequirements) *corev1ac.ResourceRequirementsApplyConfiguration {
	if len(given.Limits) == 0 && len(given.Requests) == 0 && len(given.Claims) == 0 {
		return nil
	}
	resources := corev1ac.ResourceRequirements()
	if len(given.Limits) > 0 {
		resources.WithLimits(given.Limits)
	}
	if len(given.Requests) > 0 {
		resources.WithRequests(given.Requests)
	}
	for _, claim := range given.Claims {
		resources.WithClaims(resourceClaim(claim))
	}
	return resources
}

func resourceClaim(given corev1.ResourceClaim) *corev1ac.ResourceClaimApplyConfiguration {
	claim := corev1ac.ResourceClaim().WithName(given.Name)
	if given.Request != "" {
		claim.WithRequest(given.Request)
	}
	return claim
}

func tolerations(given []corev1.Toleration) []*corev1ac.TolerationApplyConfiguration {
	list := make([]*corev1ac.TolerationApplyConfiguration, 0, len(given))
	for _, t := range given {
		list = append(list, toleration(t))
	}
	return list
}

// startupToleration lets a hub start on nodes that wait for hubs.
func startupToleration() *corev1ac.TolerationApplyConfiguration {
	return corev1ac.Toleration().
		WithKey(v1alpha1.TaintNotWired).
		WithOperator(corev1.TolerationOpExists).
		WithEffect(corev1.TaintEffectNoSchedule)
}

func toleration(given corev1.Toleration) *corev1ac.TolerationApplyConfiguration {
	t := corev1ac.Toleration()
	if given.Key != "" {
		t.WithKey(given.Key)
	}
	if given.Operator != "" {
		t.WithOperator(given.Operator)
	}
	if given.Value != "" {
		t.WithValue(given.Value)
	}
	if given.Effect != "" {
		t.WithEffect(given.Effect)
	}
	if given.TolerationSeconds != nil {
		t.WithTolerationSeconds(*given.TolerationSeconds)
	}
	return t
}
