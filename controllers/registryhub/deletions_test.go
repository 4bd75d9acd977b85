package registryhub

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/registryhub/registryhub/api/v1alpha1"
)

func TestADeletionLastsSinceItWasFirstSeen(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		deleted time.Time
		steps   func(*deletions)
		uid     types.UID
		want    time.Duration
	}{
		"from the first look on":                         {deleted: now, want: time.Minute},
		"whatever the API server's clock says, behind":   {deleted: now.Add(-time.Hour), want: time.Minute},
		"whatever the API server's clock says, ahead":    {deleted: now.Add(time.Hour), want: time.Minute},
		"anew for another hub of the name":               {deleted: now, uid: "another"},
		"anew for one that was gone":                     {deleted: now, steps: func(d *deletions) { d.forget("a") }},
		"still when another one is gone":                 {deleted: now, steps: func(d *deletions) { d.forget("b") }, want: time.Minute},
		"still when another one was looked at meanwhile": {deleted: now, steps: func(d *deletions) { d.lasts(leaving("b", "uid", now), now) }, want: time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := &deletions{}
			if lasts := d.lasts(leaving("a", "uid", tc.deleted), now); lasts != 0 {
				t.Fatalf("at the first look it lasts %v, want 0", lasts)
			}
			if tc.steps != nil {
				tc.steps(d)
			}
			uid := types.UID("uid")
			if tc.uid != "" {
				uid = tc.uid
			}
			if got := d.lasts(leaving("a", uid, tc.deleted), now.Add(time.Minute)); got != tc.want {
				t.Errorf("a minute later it lasts %v, want %v", got, tc.want)
			}
		})
	}
}

func leaving(name string, uid types.UID, since time.Time) *v1alpha1.RegistryHub {
	return &v1alpha1.RegistryHub{ObjectMeta: metav1.ObjectMeta{Name: name, UID: uid, DeletionTimestamp: new(metav1.NewTime(since))}}
}
