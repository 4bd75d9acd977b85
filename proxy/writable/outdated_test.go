package writable_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// slow is a store that can be written, and takes its time to say so.
type slow time.Duration

func (s slow) Probe(context.Context) error {
	<-time.After(time.Duration(s))
	return nil
}

func TestATrySucceedsAfterWhatWasComplainedOfMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := run(t, slow(time.Second))
		w.Failed(errReadOnly)
		after(time.Second)
		w.want(t, true)
		w.Failed(errReadOnly)
		synctest.Wait()
		w.want(t, false, cannot)
	})
}
