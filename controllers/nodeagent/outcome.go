package nodeagent

import (
	"time"

	"github.com/registryhub/registryhub/api/v1alpha1"
	"github.com/registryhub/registryhub/controllers/nodeagent/probe"
)

// outcome is what came of one pass over the files.
type outcome struct {
	wired  wiring
	health health
	// failed are the hosts whose files are not as wanted.
	failed map[string]error
	// bypassing are the hosts that the hub for every other host does not have, since somebody else's directory leads them.
	bypassing map[string]error
	// declined are the hosts of hubs that have a fallback here which they are not to have.
	declined map[string]error
	// proofs are what is known of the hosts in force; nil where nothing is proven.
	proofs proofs
	// err is what concerns no single host: after it the revision is not in force.
	err error
}

// status is the report of an outcome, when previous was the last.
func (o outcome) status(previous v1alpha1.NodeMirrorStatus, now time.Time) v1alpha1.NodeMirrorStatus {
	missing := o.unreachable(previous, now)
	return v1alpha1.NodeMirrorStatus{
		Revision:       o.revision(previous.Revision, missing),
		ProvenRevision: o.provenRevision(previous.ProvenRevision, missing),
		Exceptions:     o.wired.exceptions(o.failed, missing, o.declined, o.unproven(previous), o.bypassing),
	}
}

// revision that can be said to be in force. An entry in which a hub has not answered this node yet is not: until it
// does, or its absence is reported, the revision is one before the entry's. What is older than that is in force, and so
// is every withdrawal. A revision that was reported is not taken back.
func (o outcome) revision(previous int64, missing map[string]error) int64 {
	if o.err != nil {
		return previous
	}
	revision := o.wired.revision
	for host, name := range o.wired.hubs {
		hub := o.wired.entries[name]
		health := o.health.of(hub)
		if missing[host] == nil && health.State != probe.Alive && !health.Seen {
			revision = min(revision, hub.Revision-1)
		}
	}
	if previous <= o.wired.revision {
		revision = max(revision, previous)
	}
	return revision
}
