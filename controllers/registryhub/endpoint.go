package registryhub

import (
	"math"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/registryhub/registryhub/api/v1alpha1"
	"github.com/registryhub/registryhub/controllers/nodes"
	"github.com/registryhub/registryhub/controllers/resources"
)

// A hub moves in steps: its proxy serves the new endpoint beside the old one; nodes are led to the new one; the old one goes
// when they are. What tells them apart is the status: where nodes are led, and where they were before.

// endpoint is where nodes are to be led; empty while the hub's Service has no address. A hub that moves stays where it was
// until the proxy serves it where it should be, and until a move before this one is over.
func (s *scope) endpoint() string {
	wanted, present := resources.EndpointURL(s.hub, s.service), s.hub.Status.Endpoint
	if wanted == present || wanted == "" || !resources.Serves(s.hub, s.service, present) {
		return wanted
	}
	former := s.hub.Status.FormerEndpoint
	if former != nil && former.URL != wanted || proxyAvailable(s).Status != metav1.ConditionTrue || !s.hasCertificateFor(present, wanted) {
		return present
	}
	return wanted
}

// certificateReaches is how long the kubelet takes, at most, to bring a changed Secret into a Pod that runs.
const certificateReaches = 2 * time.Minute

// hasCertificateFor says whether the proxy shows a certificate that names the host of the wanted URL: one that was made for
// another host than that of the present one may not have reached it.
func (s *scope) hasCertificateFor(present, wanted string) bool {
	if !strings.HasPrefix(wanted, "https:") || resources.SameHost(present, wanted) {
		return true
	}
	early := s.certificate.changed.Add(certificateReaches).Sub(s.now)
	if early > 0 {
		s.requeueIn(max(early, minimumDelay))
	}
	return early <= 0
}

// moves says whether nodes are not yet led to where they should be.
func (s *scope) moves() bool { return s.endpoint() != resources.EndpointURL(s.hub, s.service) }

// formerEndpoint is what is to be served beside the endpoint; nil for nothing.
func (s *scope) formerEndpoint() *v1alpha1.FormerEndpoint {
	before, now := s.hub.Status.Endpoint, s.endpoint()
	if before != now && now != "" && resources.Serves(s.hub, s.service, before) {
		return &v1alpha1.FormerEndpoint{URL: before, Since: metav1.NewTime(s.now).Rfc3339Copy()}
	}
	former := s.hub.Status.FormerEndpoint
	if former == nil || s.leftBehind(former) {
		return nil
	}
	return former
}

// leftBehind says whether a former endpoint need not be served any more: pulls that began there had time to end, and no node
// is led there that could be expected not to be.
func (s *scope) leftBehind(former *v1alpha1.FormerEndpoint) bool {
	if early := former.Since.Add(s.overlap).Sub(s.now); early > 0 {
		s.requeueIn(max(early, minimumDelay))
		return false
	}
	if s.awaitedAt(former) == 0 {
		return true
	}
	patience := former.Since.Add(s.overlap + s.patience).Sub(s.now)
	s.requeueIn(min(max(patience, minimumDelay), withdrawalPeriod))
	return patience <= 0
}

// awaitedAt is how many nodes may still be led to a former endpoint. Without a configuration nobody can tell: all of them.
func (s *scope) awaitedAt(former *v1alpha1.FormerEndpoint) int {
	if s.configuration == nil {
		return len(s.snapshot.Nodes)
	}
	revision := s.configuration.Revision
	if entry := nodes.FindEntry(s.configuration, s.hub); entry != nil {
		revision = entry.Revision
		if entry.Endpoint == former.URL {
			revision = math.MaxInt64 // that of the move is still to come
		}
	}
	return len(nodes.Behind(s.snapshot, revision))
}
