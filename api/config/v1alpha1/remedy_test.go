package v1alpha1

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRemedyModes(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ lines, says string }{
		"none is Report":              {"", ""},
		"a drop-in":                   {"remedy: DropIn\n", ""},
		"a drop-in and a restart":     {"remedy: DropInAndRestart\nnodeAgent: {certsDirectory: /opt/certs.d}\n", ""},
		"another word":                {"remedy: Restart\n", `remedy: "Restart" is none of`},
		"the files of a distribution": {"remedy: DropIn\nnodeAgent: {certsDirectory: /etc/cri/conf.d/hosts}\n", "use its own way"},
		"nothing that tells":          {"remedy: DropIn\nnodeAgent: {canary: {enabled: false}}\n", "needs nodeAgent.canary.enabled"},
	} {
		operator, err := DecodeOperatorConfiguration([]byte(operatorFile + tc.lines))
		if tc.says != "" && (err == nil || !strings.Contains(err.Error(), tc.says)) || tc.says == "" && err != nil {
			t.Errorf("%s: got %v, want %q", name, err, tc.says)
		}
		if tc.lines == "" && operator.Remedy != RemedyModeReport {
			t.Errorf("%s: got %q", name, operator.Remedy)
		}
	}
}

func TestRemedyReportsAreReadAsTheyAreWritten(t *testing.T) {
	t.Parallel()
	want := RemedyReport{Outcome: RemedyDeclined, Message: "two\nlines"}
	got, err := DecodeRemedyReport(want.Encode())
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	for _, text := range []string{"", "killed", `{"outcome":"Fine"}`} {
		if got, err := DecodeRemedyReport([]byte(text)); err == nil {
			t.Errorf("%q is read as %+v", text, got)
		}
	}
}
