package gitops

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func hub(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	object := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte("apiVersion: registryhub.io/v1alpha1\nkind: RegistryHub\n"+text), &object.Object); err != nil {
		t.Fatal(err)
	}
	for _, path := range [][]string{{"metadata", "generation"}, {"status", "observedGeneration"}} {
		if number, there, _ := unstructured.NestedFieldNoCopy(object.Object, path...); there {
			if err := unstructured.SetNestedField(object.Object, int64(number.(float64)), path...); err != nil {
				t.Fatal(err)
			}
		}
	}
	return object
}

func TestJudgesAgree(t *testing.T) {
	judges, err := ReadJudges("../..")
	if err != nil {
		t.Fatal(err)
	}
	const (
		ready     = "{type: Ready, status: 'True', message: 2/2 nodes wired}"
		suspended = "{type: Suspended, status: 'True', message: spec.suspend is true}"
		stalled   = "{type: Stalled, status: 'True', message: it names no host}"
		waiting   = "{type: Ready, status: 'False', message: waiting for a volume}, {type: Reconciling, status: 'True', message: waiting for a volume}"
	)
	waits := Verdicts{"InProgress", "Progressing", "InProgress"}
	for name, tc := range map[string]struct {
		text    string
		want    Verdicts
		message string
	}{
		"nobody has seen it": {"metadata: {generation: 1}\nstatus: {observedGeneration: -1}", waits, "not looked at"},
		"an earlier spec was ready": {
			"metadata: {generation: 2}\nstatus: {observedGeneration: 1, conditions: [" + ready + "]}", waits, "not looked at",
		},
		"an earlier spec was stalled": {
			"metadata: {generation: 2}\nstatus: {observedGeneration: 1, conditions: [" + stalled + "]}", waits, "not looked at",
		},
		"on its way": {"metadata: {generation: 1}\nstatus: {observedGeneration: 1, conditions: [" + waiting + "]}", waits, "waiting for a volume"},
		"ready": {
			"metadata: {generation: 1}\nstatus: {observedGeneration: 1, conditions: [" + ready + "]}",
			Verdicts{"Current", "Healthy", "Current"}, "2/2 nodes wired",
		},
		"stalled": {
			"metadata: {generation: 1}\nstatus: {observedGeneration: 1, conditions: [{type: Ready, status: 'False', message: m}, " + stalled + "]}",
			Verdicts{"Failed", "Degraded", "Failed"}, "it names no host",
		},
		"suspended, and ready": {
			"metadata: {generation: 1}\nstatus: {observedGeneration: 1, conditions: [" + ready + ", " + suspended + "]}",
			Verdicts{"Current", "Suspended", "Current"}, "2/2 nodes wired",
		},
		"suspended, and not ready": {
			"metadata: {generation: 1}\nstatus: {observedGeneration: 1, conditions: [{type: Ready, status: 'False', message: no Pod}, " + suspended + "]}",
			Verdicts{"InProgress", "Suspended", "InProgress"}, "no Pod",
		},
		"stalled, and being deleted": {
			"metadata: {generation: 1, deletionTimestamp: '2026-01-01T00:00:00Z'}\nstatus: {observedGeneration: 1, conditions: [" + stalled + "]}",
			Verdicts{"Terminating", "Progressing", "InProgress"}, "not looked at",
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, message, err := judges.Of(hub(t, tc.text))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if !strings.Contains(message, tc.message) {
				t.Errorf("Argo CD says %q, want of %q", message, tc.message)
			}
		})
	}
}

func TestTheTableHasEachStateOnce(t *testing.T) {
	table, err := ReadTable("../../docs/conditions.md")
	if err != nil {
		t.Fatal(err)
	}
	want := map[State]Verdicts{
		{}:                                  {"InProgress", "Progressing", "InProgress"},
		{Ready: "False", Reconciling: true}: {"InProgress", "Progressing", "InProgress"},
		{Ready: "True"}:                     {"Current", "Healthy", "Current"},
		{Ready: "False", Stalled: true}:     {"Failed", "Degraded", "Failed"},
		{Ready: "True", Suspended: true}:    {"Current", "Suspended", "Current"},
		{Ready: "False", Suspended: true}:   {"InProgress", "Suspended", "InProgress"},
		{Ready: "False", Reconciling: true, Deleting: true}: {"Terminating", "Progressing", "InProgress"},
	}
	if diff := cmp.Diff(want, table); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
