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
	case len(s.missing) > 0:
		return no(v1alpha1.ReasonReferenceNotFound, conditions.Join(s.missing...))
	case s.configHash == "":
		return no(v1alpha1.ReasonInvalidSpec, "the proxy's configuration cannot be made of this spec")
	case deployment == nil:
		return no(v1alpha1.ReasonRollingOut, "the proxy is not made yet")
	case hasWantedTemplate(deployment, s.restartHash) && progress(deployment) == progressFailed:
		return no(v1alpha1.ReasonRollOutFailed, fmt.Sprintf("Deployment %s made no progress within its deadline: see why its Pod does not start", deployment.Name))
	case !hasWantedTemplate(deployment, s.restartHash) || deployment.Status.UpdatedReplicas != 1:
		return no(v1alpha1.ReasonRollingOut, "the proxy's Pod is being made")
	case deployment.Status.AvailableReplicas == 1 && deployment.Status.Replicas == 1:
		return configurationInForce(s)
	case progress(deployment) == progressDone:
		return no(v1alpha1.ReasonUnavailable, fmt.Sprintf("the Pod of Deployment %s was available and is not any more", deployment.Name))
	}
	return no(v1alpha1.ReasonRollingOut, "the proxy's Pod is starting")
}

// hasWantedTemplate says whether the Deployment's figures speak of Pods that started with what they should.
func hasWantedTemplate(deployment *appsv1.Deployment, restartHash string) bool {
	return deployment.Status.ObservedGeneration >= deployment.Generation &&
		deployment.Spec.Template.Annotations[v1alpha1.AnnotationRestartHash] == restartHash
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
