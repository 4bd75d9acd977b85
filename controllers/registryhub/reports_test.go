package registryhub

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/api/v1alpha1"
	"github.com/registryhub/registryhub/controllers/internal/conditions"
	"github.com/registryhub/registryhub/controllers/nodes"
	"github.com/registryhub/registryhub/controllers/proxies"
)

// reported is a healthy hub whose Pods said this.
func reported(reports ...proxies.Report) *scope {
	return healthy(func(s *scope) { s.reports = reports })
}

// inBucket has the hub keep its cache in a bucket.
func inBucket(s *scope) *scope {
	s.hub.Spec.Storage = v1alpha1.StorageSpec{Type: v1alpha1.StorageS3}
	s.claim = nil
	return s
}

// ofRegistry has the hub be one to push to, which the nodes know of.
func ofRegistry(s *scope) *scope {
	s.hub.Spec.Mode, s.hub.Spec.Mirror, s.hub.Spec.Local = v1alpha1.HubModeLocal, nil, &v1alpha1.LocalSpec{}
	entry := &s.configuration.Hubs[0]
	revision := entry.Revision
	*entry = nodes.WantedEntry(s.hub, s.endpoint(), nil, nil)
	entry.Revision = revision
	return s
}

// bucketed is a hub with a bucket whose Pods said this.
func bucketed(reports ...proxies.Report) *scope { return inBucket(reported(reports...)) }

// says is the answer of a Pod that was asked for what is wanted.
func says(inForce string, changes ...func(*proxies.Report)) proxies.Report {
	report := proxies.Report{AskedFor: "wanted", ProxyReport: configv1alpha1.ProxyReport{InForce: inForce}}
	for _, change := range changes {
		change(&report)
	}
	return report
}

func refusing(hash string) func(*proxies.Report) {
	return func(r *proxies.Report) {
		r.Refused = &configv1alpha1.RefusedConfiguration{Hash: hash, Reason: "mirror.hosts: no\nand\n\nmore"}
	}
}

func rotten(r *proxies.Report)      { r.Store.Failing = true }
func full(r *proxies.Report)        { r.Store.Full = true }
func unanswered(r *proxies.Report)  { r.Problem = "it does not answer" }
func askedBefore(r *proxies.Report) { r.AskedFor = "before" }

// unasked is a hub of which the manager, which has just started, knows no Pod; its status says this.
func unasked(said ...metav1.Condition) *scope {
	return healthy(func(s *scope) {
		s.reports = nil
		for i := range said {
			said[i].ObservedGeneration = s.hub.Generation
		}
		s.hub.Status.Conditions = said
	})
}

func TestWhatTheProxiesSay(t *testing.T) {
	t.Parallel()
	const available, pending = "True/Available the proxy serves with the wanted configuration", "False/ConfigurationPending the proxy does not serve with the wanted configuration yet"
	const refused = "False/ConfigurationRefused the proxy serves with its configuration of before, and refuses the present one: mirror.hosts: no; and; more"
	const bound, readOnly, noRoom = "True/VolumeBound", "False/VolumeNotWritable", "False/VolumeFull"
	cases := map[string]struct {
		scope           *scope
		proxy, storage  string
		ready, abnormal string
	}{
		"all is well":                                         {reported(says("wanted")), available, bound, "True/Ready", ""},
		"two Pods, and all is well":                           {reported(says("wanted"), says("wanted")), available, bound, "True/Ready", ""},
		"another is in force":                                 {reported(says("before")), pending, bound, "False/Progressing", "Reconciling"},
		"it is in one Pod of two":                             {reported(says("wanted"), says("before")), pending, bound, "False/Progressing", "Reconciling"},
		"an answer of before the change":                      {reported(says("wanted", askedBefore)), pending, bound, "False/Progressing", "Reconciling"},
		"a refusal of before the change":                      {reported(says("before", askedBefore, refusing("wanted"))), pending, bound, "False/Progressing", "Reconciling"},
		"refused":                                             {reported(says("before", refusing("wanted"))), refused, bound, "False/ConfigurationRefused", "Stalled"},
		"refused by one, pending in another":                  {reported(says("before"), says("before", refusing("wanted"))), refused, bound, "False/ConfigurationRefused", "Stalled"},
		"a file that cannot be read":                          {reported(says("before", refusing(""))), refused, bound, "False/ConfigurationRefused", "Stalled"},
		"another one is refused":                              {reported(says("before", refusing("third"))), pending, bound, "False/Progressing", "Reconciling"},
		"another one is refused, and the wanted one in force": {reported(says("wanted", refusing("third"))), available, bound, "True/Ready", ""},
		"no answer, and another is in force":                  {reported(says("before", unanswered)), "False/ConfigurationPending the manager cannot ask the proxy's Pod what it serves with, at its diagnostics port: it does not answer", bound, "False/Progressing", "Reconciling"},
		"no answer any more, once it is in force":             {reported(says("wanted", unanswered)), available, bound, "True/Ready", ""},
		"not asked yet":                                       {reported(), "False/ConfigurationPending the proxy was not asked yet what it serves with", bound, "False/Progressing", "Reconciling"},
		"not asked since the manager started": {
			unasked(is("ProxyAvailable", "True", "Available", "as it was")), "True/Available as it was", bound, "True/Ready", "",
		},
		"not asked since, and it was refused": {
			unasked(is("ProxyAvailable", "False", "ConfigurationRefused", "as it was")), "False/ConfigurationRefused as it was", bound, "False/ConfigurationRefused", "Stalled",
		},
		"no answer since the manager started": {
			healthy(func(s *scope) {
				*s = *unasked(is("ProxyAvailable", "True", "Available", "as it was"), is("StorageReady", "False", "VolumeFull", "as it was"))
				s.reports = []proxies.Report{says("", unanswered)}
			}), "True/Available as it was", noRoom, "True/Ready", "",
		},
		"not asked since it is available": {
			unasked(is("ProxyAvailable", "False", "Unavailable", "as it was")), "False/ConfigurationPending the proxy was not asked yet what it serves with", bound, "False/Progressing", "Reconciling",
		},
		"a disk that fails":               {reported(says("wanted", rotten)), available, readOnly, "True/Ready", ""},
		"a disk that fails in one of two": {reported(says("wanted"), says("wanted", rotten)), available, readOnly, "True/Ready", ""},
		"a full disk":                     {reported(says("wanted", full)), available, noRoom, "True/Ready", ""},
		"one full, one that fails":        {reported(says("wanted", full), says("wanted", rotten)), available, readOnly, "True/Ready", ""},
		"a full disk, not asked since the manager started": {
			unasked(is("ProxyAvailable", "True", "Available", "as it was"), is("StorageReady", "False", "VolumeFull", "as it was")), "True/Available as it was", noRoom, "True/Ready", "",
		},
		"a bucket":                     {bucketed(says("wanted")), available, "True/BucketReachable", "True/Ready", ""},
		"a bucket that is not reached": {bucketed(says("wanted", rotten)), available, "False/BucketNotReachable", "True/Ready", ""},
		"a full bucket":                {bucketed(says("wanted", full)), available, "False/BucketFull", "True/Ready", ""},
		"a bucket that was not reached when the manager started": {
			inBucket(unasked(is("ProxyAvailable", "True", "Available", "as it was"), is("StorageReady", "False", "BucketNotReachable", "as it was"))), "True/Available as it was", "False/BucketNotReachable", "True/Ready", "",
		},
		"a registry's bucket that is not reached": {ofRegistry(bucketed(says("wanted", rotten))), available, "False/BucketNotReachable", "False/BucketNotReachable", "Reconciling"},
		"a registry's bucket that is full":        {ofRegistry(bucketed(says("wanted", full))), available, "False/BucketFull", "True/Ready", ""},
		"a registry's disk that fails":            {ofRegistry(reported(says("wanted", rotten))), available, readOnly, "True/Ready", ""},
		"a full disk, and a node behind": {
			healthy(firstNode(behind), func(s *scope) { s.reports = []proxies.Report{says("wanted", full)} }), available, noRoom, "False/Progressing", "Reconciling",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			list := nextStatus(tc.scope).Conditions
			got := map[string]string{}
			for _, c := range list {
				got[c.Type] = string(c.Status) + "/" + c.Reason
				if c.Type == v1alpha1.ConditionProxyAvailable {
					got[c.Type] += " " + c.Message
				}
			}
			want := map[string]string{"Ready": tc.ready, "ProxyAvailable": tc.proxy, "StorageReady": tc.storage, "NodesWired": got["NodesWired"], "CertificateReady": got["CertificateReady"]}
			if tc.abnormal != "" {
				want[tc.abnormal] = strings.Replace(tc.ready, "False", "True", 1)
			}
			if tc.abnormal == v1alpha1.ConditionReconciling {
				want[tc.abnormal] = "True/Progressing"
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("conditions (-want +got):\n%s", diff)
			}
			if err := conditions.Check(list, 3, v1alpha1.ConditionReady, v1alpha1.ConditionReconciling, v1alpha1.ConditionStalled, v1alpha1.ConditionSuspended); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestAGenerationThatWasNotJudgedIsPending(t *testing.T) {
	t.Parallel()
	s := unasked(is("ProxyAvailable", "True", "Available", "as it was"))
	s.hub.Generation++
	if got := configurationInForce(s); got.Reason != v1alpha1.ReasonConfigurationPending {
		t.Errorf("got %s/%s, want that nobody was asked yet", got.Status, got.Reason)
	}
}

func TestReadyTellsOfAVolumeThatTakesNothing(t *testing.T) {
	t.Parallel()
	for _, condition := range nextStatus(reported(says("wanted", full))).Conditions {
		if condition.Type == v1alpha1.ConditionReady && !strings.Contains(condition.Message, "has no room") {
			t.Errorf("Ready says %q", condition.Message)
		}
	}
}
