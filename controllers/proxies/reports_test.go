package proxies_test

import (
	"testing"
	"time"

	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/controllers/proxies"
)

// shows writes into the hub's status what is known, as its reconciler does.
func (w *world) shows() { w.Reports.Show("a", proxies.FiguresOf(w.Reports.Of("a"))) }

func (w *world) uses(bytes, objects int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.says.Figures = &configv1alpha1.ProxyFigures{Store: configv1alpha1.StoreFigures{CapacityBytes: 100 * gi, UsedBytes: bytes, Objects: &objects}}
}

func TestAHubIsLookedAtWhenItsFiguresMoveFromWhatItShows(t *testing.T) {
	t.Parallel()
	w := begin(t)
	w.serves("first")
	w.uses(50*gi, 1000)
	w.want(time.Minute, true)
	w.shows()
	for i, jitter := range []int64{1, -1, 2, -2, 4, -4} {
		w.uses((50+jitter)*gi, 1000+10*jitter)
		if _, told := w.reconciled(); told {
			t.Errorf("asking %d: figures that are nearly as shown have the hub looked at", i)
		}
	}
	w.uses(54*gi, 1000)
	w.want(time.Minute, false)
	w.uses(58*gi, 1000) // little by little
	w.want(time.Minute, true)
	w.want(time.Minute, true) // until it is shown
	w.shows()
	w.want(time.Minute, false)
}
