package conditions_test

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/registryhub/registryhub/controllers/internal/conditions"
)

var (
	first  = time.Date(2026, 1, 2, 3, 4, 5, 600, time.UTC)
	second = first.Add(time.Minute)
	owned  = []string{"Ready", "Reconciling", "Stalled"}
)

func TestMerge(t *testing.T) {
	t.Parallel()
	foreign := conditions.True("SomebodyElses", "Theirs", "theirs")
	list := conditions.Merge([]metav1.Condition{foreign}, 1, first, owned,
		conditions.False("Ready", "Progressing", "soon"), conditions.True("Reconciling", "Progressing", "soon"))
	list = conditions.Merge(list, 2, second, owned, conditions.False("Ready", "Progressing", "sooner"))

	want := []metav1.Condition{foreign, {
		Type: "Ready", Status: metav1.ConditionFalse, Reason: "Progressing", Message: "sooner",
		ObservedGeneration: 2, LastTransitionTime: metav1.NewTime(first.Truncate(time.Second)),
	}}
	if diff := cmp.Diff(want, list); diff != "" {
		t.Errorf("a transition time moved with no transition, or a deletion missed (-want +got):\n%s", diff)
	}
	list = conditions.Merge(list, 2, second, owned, conditions.True("Ready", "Ready", "it is"))
	if got := meta.FindStatusCondition(list, "Ready").LastTransitionTime.Time; !got.Equal(second.Truncate(time.Second)) {
		t.Errorf("a transition kept the old time %s", got)
	}
}

func TestMergeBoundsMessages(t *testing.T) {
	t.Parallel()
	list := conditions.Merge(nil, 1, first, owned, conditions.True("Ready", "Ready", strings.Repeat("ü", 5000)))
	if got := list[0].Message; len(got) > 1024 || !utf8.ValidString(got) || !strings.HasSuffix(got, " ...") {
		t.Errorf("the message has %d bytes and ends in %q", len(got), got[len(got)-8:])
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		list []metav1.Condition
		want string
	}{
		"nothing at all":               {nil, "Ready is missing"},
		"ready and stalled":            {list("Ready", "Stalled"), "Ready is True beside"},
		"stalled and reconciling":      {list("!Ready", "Stalled", "Reconciling"), "are True at once"},
		"abnormal-true that is False":  {list("Ready", "!Stalled"), "must be absent"},
		"not ready for no reason":      {list("!Ready"), "none of Reconciling, Stalled and Suspended says why"},
		"ready":                        {list("Ready"), ""},
		"ready, and suspended":         {list("Ready", "Suspended"), ""},
		"suspended, and not ready":     {list("!Ready", "Suspended"), ""},
		"suspended, and on its way":    {list("!Ready", "Suspended", "Reconciling"), "Reconciling and Suspended are True at once"},
		"suspended, and stalled":       {list("!Ready", "Suspended", "Stalled"), "Stalled and Suspended are True at once"},
		"not suspended, and so":        {list("Ready", "!Suspended"), "must be absent"},
		"on its way":                   {list("!Ready", "Reconciling"), ""},
		"another generation is spoken": {conditions.Merge(nil, 6, first, owned, conditions.True("Ready", "Ready", "x")), "generation 6, not 7"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := conditions.Check(tc.list, 7, "Ready", "Reconciling", "Stalled", "Suspended")
			if (tc.want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), tc.want) {
				t.Errorf("Check: %v, want one that says %q", err, tc.want)
			}
		})
	}
}

func list(kinds ...string) []metav1.Condition {
	var wanted []metav1.Condition
	for _, kind := range kinds {
		if negated, found := strings.CutPrefix(kind, "!"); found {
			wanted = append(wanted, conditions.False(negated, "No", "no"))
			continue
		}
		wanted = append(wanted, conditions.True(kind, "Yes", "yes"))
	}
	return conditions.Merge(nil, 7, first, owned, wanted...)
}
