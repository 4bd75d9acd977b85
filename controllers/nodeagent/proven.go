package nodeagent

import "github.com/registryhub/registryhub/controllers/nodeagent/proof"

// unprovenError says that the runtime does not pull a host through its hub.
type unprovenError struct{ proof.Failure }

// Error says what to do about it.
func (e *unprovenError) Error() string { return e.Message }

// unproven are the hosts that do not go through their hubs, for all that their files are in place.
func (o outcome) unproven() map[string]error {
	unproven := map[string]error{}
	for host, outcome := range o.proofs {
		if outcome.Verdict == proof.Failed {
			unproven[host] = &unprovenError{outcome.Failure}
		}
	}
	return unproven
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
