package simulation

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const auditLog = `{"verb":"update","objectRef":{"resource":"leases"}}
{"verb":"patch","objectRef":{"resource":"registryhubs","subresource":"status"}}
{"verb":"patch","objectRef":{"resource":"registryhubs","subresource":"status"}}
{"verb":"create","objectRef":{"resource":"nodemirrors"}}
`

func TestWritesAreCountedByVerbAndResource(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		log  string
		want Writes
	}{
		"of nothing there are none":                         {"", Writes{}},
		"each is counted":                                   {auditLog, Writes{"update leases": 1, "patch registryhubs/status": 2, "create nodemirrors": 1}},
		"a line that is being written is counted next time": {`{"verb":"update","objectRef":{"resource":"leases"}}` + "\n" + `{"verb":"upd`, Writes{"update leases": 1}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := countWrites([]byte(tc.log))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestWritesSinceAnEarlierCount(t *testing.T) {
	t.Parallel()
	earlier, err := countWrites([]byte(auditLog))
	if err != nil {
		t.Fatal(err)
	}
	later, err := countWrites([]byte(auditLog + strings.Repeat(`{"verb":"update","objectRef":{"resource":"leases"}}`+"\n", 3) + auditLog))
	if err != nil {
		t.Fatal(err)
	}
	since := later.since(earlier)
	if diff := cmp.Diff(Writes{"update leases": 4, "patch registryhubs/status": 2, "create nodemirrors": 1}, since); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if leases, others := since.split(); leases != 4 || others != 3 {
		t.Errorf("%d writes of leases and %d others, want 4 and 3", leases, others)
	}
}
