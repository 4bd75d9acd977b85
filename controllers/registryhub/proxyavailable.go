package registryhub

import (
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/registryhub/registryhub/api/v1alpha1"
	"github.com/registryhub/registryhub/controllers/internal/conditions"
)

// proxyAvailable says whether the proxy serves with the wanted configuration.
func proxyAvailable(s *scope) metav1.Condition {
	no := func(reason, message string) metav1.Condition {
		return conditions.False(v1alpha1.ConditionProxyAvailable, reason, message)
	}
	deployment := s.deployment
	switch {
	case s.hub.Spec.Suspend && s.configHash == "":
		return no(v1alpha1.ReasonSuspended, "the proxy is not made while the hub is suspended")
	case len(s.missing) > 0:
		return no(v1alpha1.ReasonReferenceNotFound, conditions.Join(s.missing...))
	case s.configHash == "":
		return no(v1alpha1.ReasonInvalidSpec, "the proxy's configuration cannot be made of this spec")
	case deployment == nil:
		return no(v1alpha1.ReasonRollingOut, "the proxy is not made yet")
	case !hasWantedTemplate(deployment, s.restartHash):
		return no(v1alpha1.ReasonRollingOut, "the proxy's Pod is being made")
	case progress(deployment) == progressFailed:
		return no(v1alpha1.ReasonRollOutFailed, fmt.Sprintf("Deployment %s made no progress within its deadline: see why its Pod does not start", deployment.Name))
	case wantedPods(deployment) == 0:
		return no(v1alpha1.ReasonUnavailable, fmt.Sprintf("Deployment %s is scaled to no Pod at all", deployment.Name))
	case !rolledOut(deployment):
		return no(v1alpha1.ReasonRollingOut, rollingOut(deployment))
	case deployment.Status.AvailableReplicas == 0:
		return no(v1alpha1.ReasonUnavailable, fmt.Sprintf("the Pod of Deployment %s was available and is not any more", deployment.Name))
	}
	return configurationInForce(s)
}

// hasWantedTemplate says whether the Deployment's figures speak of Pods that started with what they should.
func hasWantedTemplate(deployment *appsv1.Deployment, restartHash string) bool {
	return deployment.Status.ObservedGeneration >= deployment.Generation &&
		deployment.Spec.Template.Annotations[v1alpha1.AnnotationRestartHash] == restartHash
}

// rolledOut says whether there are Pods of the present template alone, and as many as there should be, or were so once. A
// change of their number is no roll-out: an autoscaler at work, or a Pod that is lost while others serve, takes nothing away
// from a hub.
func rolledOut(deployment *appsv1.Deployment) bool {
	status := deployment.Status
	onlyPresent := status.UpdatedReplicas > 0 && status.Replicas == status.UpdatedReplicas
	return onlyPresent && (status.AvailableReplicas >= wantedPods(deployment) || progress(deployment) == progressDone)
}

func rollingOut(deployment *appsv1.Deployment) string {
	status, wanted := deployment.Status, wantedPods(deployment)
	switch {
	case wanted > 1:
		return fmt.Sprintf("%d/%d Pods of the proxy are of the present spec, %d serve", min(status.UpdatedReplicas, wanted), wanted, status.AvailableReplicas)
	case status.UpdatedReplicas == 0:
		return "the proxy's Pod is being made"
	}
	return "the proxy's Pod is starting"
}

// wantedPods is how many Pods a Deployment is to have; the API server says 1 where nobody does.
func wantedPods(deployment *appsv1.Deployment) int32 {
	if deployment.Spec.Replicas == nil {
		return 1
	}
	return *deployment.Spec.Replicas
}

// Reasons of a Deployment's Progressing condition, which are part of its API but not constants in k8s.io/api.
const (
	progressDone   = "NewReplicaSetAvailable"
	progressFailed = "ProgressDeadlineExceeded"
)

func progress(deployment *appsv1.Deployment) string {
	for _, condition := range deployment.Status.Conditions {
		if condition.Type == appsv1.DeploymentProgressing {
			return condition.Reason
		}
	}
	return ""
}
