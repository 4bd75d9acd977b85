package registryhub

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/registryhub/registryhub/api/v1alpha1"
)

func status(conditions ...metav1.Condition) *v1alpha1.RegistryHub {
	return &v1alpha1.RegistryHub{Status: v1alpha1.RegistryHubStatus{Conditions: conditions}}
}

func is(kind, value, reason, message string) metav1.Condition {
	return metav1.Condition{Type: kind, Status: metav1.ConditionStatus(value), Reason: reason, Message: message}
}

func TestTransitions(t *testing.T) {
	t.Parallel()
	ready := is("Ready", "True", "Ready", "m")
	progressing := is("Ready", "False", "Progressing", "m")
	stalledCondition := is("Stalled", "True", "HostConflict", "m")
	cases := map[string]struct {
		before, after *v1alpha1.RegistryHub
		want          []string
	}{
		"new, and on its way":             {status(), status(progressing, is("ProxyAvailable", "False", "RollingOut", "m")), nil},
		"ready":                           {status(progressing), status(ready), []string{"Normal Ready"}},
		"still ready":                     {status(ready), status(is("Ready", "True", "Ready", "another message")), nil},
		"no more ready":                   {status(ready), status(progressing), []string{"Warning Progressing"}},
		"another message":                 {status(stalledCondition), status(is("Stalled", "True", "HostConflict", "another")), nil},
		"stalled":                         {status(progressing), status(is("Ready", "False", "HostConflict", "m"), stalledCondition), []string{"Warning HostConflict"}},
		"stalled by something else":       {status(stalledCondition), status(is("Stalled", "True", "InvalidSpec", "m")), []string{"Warning InvalidSpec"}},
		"a proxy that is gone":            {status(is("ProxyAvailable", "True", "Available", "m")), status(is("ProxyAvailable", "False", "Unavailable", "m")), []string{"Warning Unavailable"}},
		"a missing reference, told once":  {status(), status(is("Ready", "False", "ReferenceNotFound", "m"), is("ProxyAvailable", "False", "ReferenceNotFound", "m")), []string{"Warning ReferenceNotFound"}},
		"a disk that fails, while Ready":  {status(ready, is("StorageReady", "True", "VolumeBound", "m")), status(ready, is("StorageReady", "False", "VolumeNotWritable", "m")), []string{"Warning VolumeNotWritable"}},
		"a full disk":                     {status(is("StorageReady", "False", "VolumeNotWritable", "m")), status(is("StorageReady", "False", "VolumeFull", "m")), []string{"Warning VolumeFull"}},
		"a refused configuration":         {status(ready, is("ProxyAvailable", "True", "Available", "m")), status(is("Ready", "False", "ConfigurationRefused", "m"), is("Stalled", "True", "ConfigurationRefused", "m"), is("ProxyAvailable", "False", "ConfigurationRefused", "m")), []string{"Warning ConfigurationRefused", "Warning ConfigurationRefused"}},
		"an upstream down, while Ready":   {status(ready, is("UpstreamReachable", "True", "UpstreamsReachable", "m")), status(ready, is("UpstreamReachable", "False", "UpstreamsDown", "m")), []string{"Warning UpstreamsDown"}},
		"another one is down":             {status(is("UpstreamReachable", "False", "UpstreamsDown", "m")), status(is("UpstreamReachable", "False", "UpstreamsDown", "another")), nil},
		"upstreams that are back":         {status(is("UpstreamReachable", "False", "UpstreamsDown", "m")), status(is("UpstreamReachable", "True", "UpstreamsReachable", "m")), []string{"Normal UpstreamsReachable"}},
		"upstreams that answer at first":  {status(), status(is("UpstreamReachable", "True", "UpstreamsReachable", "m")), nil},
		"identities unknown, while Ready": {status(ready, is("IdentitiesKnown", "True", "ClusterAnswering", "m")), status(ready, is("IdentitiesKnown", "False", "ClusterNotAnswering", "m")), []string{"Warning ClusterNotAnswering"}},
		"identities known again":          {status(is("IdentitiesKnown", "False", "ClusterNotAnswering", "m")), status(is("IdentitiesKnown", "True", "ClusterAnswering", "m")), []string{"Normal ClusterAnswering"}},
		"identities known at first":       {status(), status(is("IdentitiesKnown", "True", "ClusterAnswering", "m")), nil},
		"upstreams that nobody asked":     {status(is("UpstreamReachable", "False", "UpstreamsDown", "m")), status(), nil},
		"failing nodes":                   {status(is("NodesWired", "False", "Wiring", "m")), status(is("NodesWired", "False", "NodesFailing", "m")), []string{"Warning NodesFailing"}},
		"suspended, and ready":            {status(ready), status(ready, is("Suspended", "True", "Suspended", "m")), []string{"Normal Suspended"}},
		"deleted":                         {status(ready), status(is("Ready", "False", "Deleting", "m"), is("Reconciling", "True", "Deleting", "m")), []string{"Normal Deleting"}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, event := range transitions(tc.before, tc.after) {
				got = append(got, event.kind+" "+event.reason)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
		})
	}
}
