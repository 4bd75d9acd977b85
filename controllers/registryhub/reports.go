package registryhub

import (
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/registryhub/registryhub/api/v1alpha1"
	"github.com/registryhub/registryhub/controllers/internal/conditions"
	"github.com/registryhub/registryhub/controllers/proxies"
)

// While no Pod has answered yet, which is so when the manager has just started, what was said before stands: a manager that
// starts is no change of a hub.

// configurationInForce says whether every Pod that is Ready serves with the wanted configuration.
func configurationInForce(s *scope) metav1.Condition {
	no := func(reason, message string) metav1.Condition {
		return conditions.False(v1alpha1.ConditionProxyAvailable, reason, message)
	}
	if !s.answered() {
		before := s.before(v1alpha1.ConditionProxyAvailable, v1alpha1.ReasonAvailable, v1alpha1.ReasonConfigurationRefused)
		if before != nil && before.ObservedGeneration == s.hub.Generation {
			return *before
		}
	}
	pending := ""
	if len(s.reports) == 0 {
		pending = "the proxy was not asked yet what it serves with"
	}
	for _, report := range s.reports {
		switch {
		case s.isServedBy(report):
		case report.Refuses(s.configHash):
			return no(v1alpha1.ReasonConfigurationRefused, "the proxy serves with its configuration of before, and refuses the present one: "+inOneLine(report.Refused.Reason))
		default:
			pending = notInForce(report)
		}
	}
	if pending != "" {
		return no(v1alpha1.ReasonConfigurationPending, pending)
	}
	return conditions.True(v1alpha1.ConditionProxyAvailable, v1alpha1.ReasonAvailable, serving(s.deployment))
}

// serving tells how many serve where there are to be several.
func serving(deployment *appsv1.Deployment) string {
	wanted := wantedPods(deployment)
	if wanted == 1 {
		return "the proxy serves with the wanted configuration"
	}
	return fmt.Sprintf("%d/%d Pods of the proxy serve, with the wanted configuration", min(deployment.Status.AvailableReplicas, wanted), wanted)
}

// isServedBy says whether a Pod serves all that is wanted. One that has not left a former endpoint yet does.
func (s *scope) isServedBy(report proxies.Report) bool {
	return report.ServesWith(s.configHash) || s.movingHash != "" && report.InForce == s.movingHash && report.Refused == nil
}

func notInForce(report proxies.Report) string {
	if report.Problem != "" {
		return "the manager cannot ask the proxy's Pod what it serves with, at its diagnostics port: " + report.Problem
	}
	return "the proxy does not serve with the wanted configuration yet"
}

// volumeTaking says whether a volume that is there takes what is new.
func volumeTaking(s *scope, reason, message string) metav1.Condition {
	if !s.answered() {
		if before := s.before(v1alpha1.ConditionStorageReady, v1alpha1.ReasonVolumeNotWritable, v1alpha1.ReasonVolumeFull); before != nil {
			return *before
		}
	}
	full := false
	for _, report := range s.reports {
		if report.Store.Failing {
			return s.inTrouble(v1alpha1.ReasonVolumeNotWritable)
		}
		full = full || report.Store.Full
	}
	if full {
		return s.inTrouble(v1alpha1.ReasonVolumeFull)
	}
	return conditions.True(v1alpha1.ConditionStorageReady, reason, message)
}

// answered says whether any Pod has answered since the manager started.
func (s *scope) answered() bool {
	return slices.ContainsFunc(s.reports, func(r proxies.Report) bool { return r.InForce != "" })
}

// before is what the status says of a condition, if it is for one of these reasons; else nil.
func (s *scope) before(kind string, reasons ...string) *metav1.Condition {
	condition := meta.FindStatusCondition(s.hub.Status.Conditions, kind)
	if condition == nil || !slices.Contains(reasons, condition.Reason) {
		return nil
	}
	return condition
}

// inOneLine makes one line of several, which is how conditions are read.
func inOneLine(text string) string {
	return conditions.Join(strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == '\r' })...)
}
