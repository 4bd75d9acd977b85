// Package remedies has nodes mended whose containerd is configured to read no hosts.toml files, where the OperatorConfiguration
// says so: a Job for one node at a time, and none for a second one while the first is not cured.
package remedies

import (
	"slices"
	"strings"

	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/api/v1alpha1"
)

// Cause is what can be mended on a node.
type Cause struct {
	// Reason and Message are those that the node's agent reports.
	Reason, Message string
	// Hash tells this cause, mended in this way, from others.
	Hash string
}

// CauseOf is what of a node's report a remedy can mend; nil: nothing. A restart mends what waits for one.
func CauseOf(reported v1alpha1.NodeMirrorStatus, mode configv1alpha1.RemedyMode) *Cause {
	mendable := []string{v1alpha1.NodeReasonConfigPathUnset, v1alpha1.NodeReasonTransferServiceMultiRoot}
	if mode == configv1alpha1.RemedyModeDropInAndRestart {
		mendable = append(mendable, v1alpha1.NodeReasonRestartPending)
	}
	for _, exception := range reported.Exceptions {
		if slices.Contains(mendable, exception.Reason) {
			told := strings.Join([]string{string(mode), exception.Reason, exception.Message}, "\n")
			return &Cause{Reason: exception.Reason, Message: exception.Message, Hash: configv1alpha1.Hash([]byte(told))}
		}
	}
	return nil
}

// hashOf is "" where there is nothing to mend.
func hashOf(reported v1alpha1.NodeMirrorStatus, mode configv1alpha1.RemedyMode) string {
	if cause := CauseOf(reported, mode); cause != nil {
		return cause.Hash
	}
	return ""
}
