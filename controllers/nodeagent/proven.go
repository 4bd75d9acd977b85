package nodeagent

import (
	"slices"

	"github.com/registryhub/registryhub/api/v1alpha1"
	"github.com/registryhub/registryhub/controllers/nodeagent/proof"
)

// unprovenError says that the runtime does not pull a host through its hub.
type unprovenError struct{ proof.Failure }

// Error says what to do about it.
func (e *unprovenError) Error() string { return e.Message }

// unproven are the hosts that do not go through their hubs, for all that their files are in place. What was said of one in
// the report before, as by the agent that ran before this one, is said until it is proven or fails otherwise.
func (o outcome) unproven(previous v1alpha1.NodeMirrorStatus) map[string]error {
	unproven := map[string]error{}
	for host, outcome := range o.proofs {
		said := saidUnproven(previous, host)
		switch {
		case outcome.Verdict == proof.Failed:
			unproven[host] = &unprovenError{outcome.Failure}
		case outcome.Verdict == proof.Pending && said != nil:
			unproven[host] = &unprovenError{proof.Failure{Reason: said.Reason, Message: said.Message}}
		}
	}
	return unproven
}

// unprovenReasons are what a canary that did not come through is reported as.
var unprovenReasons = []string{
	v1alpha1.NodeReasonConfigPathUnset, v1alpha1.NodeReasonTransferServiceMultiRoot, v1alpha1.NodeReasonLegacyMirrorsPresent,
	v1alpha1.NodeReasonRestartPending, v1alpha1.NodeReasonRuntimeUnknown, v1alpha1.NodeReasonCanaryFailed,
}

func saidUnproven(previous v1alpha1.NodeMirrorStatus, host string) *v1alpha1.NodeException {
	for i, exception := range previous.Exceptions {
		if exception.Host == host && slices.Contains(unprovenReasons, exception.Reason) {
			return &previous.Exceptions[i]
		}
	}
	return nil
}

// provenRevision is the report of how far what is in force is proven: up to before the first entry that has a host of
// which nothing is known yet. What was reported is not taken back while it is proven again: if that fails, the host
// becomes an exception.
func (o outcome) provenRevision(previous *int64, missing map[string]error) *int64 {
	if o.proofs == nil {
		return nil
	}
	proven := o.wired.revision
	for host, name := range o.wired.hubs {
		settled := o.wired.refused[host] != nil || o.failed[host] != nil || missing[host] != nil || o.proofs[host].Verdict != proof.Pending
		if !settled {
			proven = min(proven, o.wired.entries[name].Revision-1)
		}
	}
	if previous != nil && *previous <= o.wired.revision {
		proven = max(proven, *previous)
	}
	return &proven
}
