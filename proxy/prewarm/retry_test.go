package prewarm

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestAnImageThatFailsForDaysIsTriedAtItsUsualTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &shelf{manifests: map[string]string{"quay.io/good@1": `{}`}}
		run(t, s, wanting("quay.io/bad:1", "quay.io/good:1"))
		time.Sleep(90 * 24 * time.Hour) //nolint:forbidigo // the bubble's clock, which does not wait
		synctest.Wait()
		if last := time.Since(s.began) - s.asked[len(s.asked)-1]; last > time.Hour {
			t.Errorf("the images were looked at last %s ago, want at most an hour", last)
		}
	})
}
