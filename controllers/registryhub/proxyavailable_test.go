package registryhub

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// pods is a Deployment that is to have so many Pods, and has these.
func pods(wanted, replicas, updated, available int32, progress string) *scope {
	return healthy(progressIs(progress), func(s *scope) {
		s.deployment.Spec.Replicas = &wanted
		s.deployment.Status.Replicas, s.deployment.Status.UpdatedReplicas, s.deployment.Status.AvailableReplicas = replicas, updated, available
	})
}

func TestSeveralPods(t *testing.T) {
	t.Parallel()
	const moving = "ReplicaSetUpdated"
	for name, tc := range map[string]struct {
		scope *scope
		want  string
	}{
		"all serve":                         {pods(3, 3, 3, 3, progressDone), "True/Available 3/3 Pods of the proxy serve, with the wanted configuration"},
		"one is lost":                       {pods(3, 3, 3, 2, progressDone), "True/Available 2/3 Pods of the proxy serve, with the wanted configuration"},
		"all are lost":                      {pods(3, 3, 3, 0, progressDone), "False/Unavailable the Pod of Deployment  was available and is not any more"},
		"the first starts":                  {pods(3, 3, 3, 0, moving), "False/RollingOut 3/3 Pods of the proxy are of the present spec, 0 serve"},
		"the first serves":                  {pods(3, 3, 3, 1, moving), "False/RollingOut 3/3 Pods of the proxy are of the present spec, 1 serve"},
		"one is replaced":                   {pods(3, 4, 1, 3, moving), "False/RollingOut 1/3 Pods of the proxy are of the present spec, 3 serve"},
		"none is replaced yet":              {pods(3, 3, 0, 3, progressDone), "False/RollingOut 0/3 Pods of the proxy are of the present spec, 3 serve"},
		"the last of the old is on its way": {pods(3, 4, 3, 4, moving), "False/RollingOut 3/3 Pods of the proxy are of the present spec, 4 serve"},
		"an autoscaler adds one":            {pods(4, 3, 3, 3, progressDone), "True/Available 3/4 Pods of the proxy serve, with the wanted configuration"},
		"an autoscaler takes two":           {pods(2, 4, 4, 4, progressDone), "True/Available 2/2 Pods of the proxy serve, with the wanted configuration"},
		"the replacement does not start":    {pods(3, 4, 1, 3, progressFailed), "False/RollOutFailed Deployment  made no progress within its deadline: see why its Pod does not start"},
		"somebody scaled it to nothing":     {pods(0, 0, 0, 0, progressDone), "False/Unavailable Deployment  is scaled to no Pod at all"},
		"a single one between two":          {pods(1, 0, 0, 0, progressDone), "False/RollingOut the proxy's Pod is being made"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := proxyAvailable(tc.scope)
			if diff := cmp.Diff(tc.want, string(got.Status)+"/"+got.Reason+" "+got.Message); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestWhatIsWrongWithASecretThatPodsStartWith(t *testing.T) {
	t.Parallel()
	env := proxyReference{secret: "s", key: "url"}
	pull := proxyReference{secret: "s"}
	for name, tc := range map[string]struct {
		named proxyReference
		data  map[string][]byte
		want  string
	}{
		"a variable's Secret is not there":  {env, nil, "does not exist"},
		"it has another key":                {env, map[string][]byte{"uri": []byte("hunter2")}, "has no key url"},
		"it has the key":                    {env, map[string][]byte{"url": nil}, ""},
		"a Secret for pulling is not there": {pull, nil, "does not exist"},
		"it is there":                       {pull, map[string][]byte{}, ""},
	} {
		if got := tc.named.lacks(tc.data); got != tc.want {
			t.Errorf("%s: %q, want %q", name, got, tc.want)
		}
	}
}
