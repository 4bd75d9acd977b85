package proxies_test

import (
	"strconv"
	"testing"
	"time"

	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
)

// finds lets the Pod say of its one upstream whether it is reachable, and shows what the hub's status says from then on.
func (w *world) finds(reachable *bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.says.Figures = &configv1alpha1.ProxyFigures{Upstreams: []configv1alpha1.UpstreamFigures{{Name: "one", Reachable: reachable}}}
}

// believed is what the hub is told of the upstream.
func (w *world) believed() string {
	w.t.Helper()
	upstreams := w.Reports.Of("a")[0].Figures.Upstreams
	if upstreams[0].Reachable == nil {
		return "unknown"
	}
	return strconv.FormatBool(*upstreams[0].Reachable)
}

func TestOfAnUpstreamIsBelievedWhatAPodSaysForAWhile(t *testing.T) {
	t.Parallel()
	type asking struct {
		after    time.Duration
		says     *bool
		believed string
		again    time.Duration
		told     bool
	}
	up, down := new(true), new(false)
	cases := map[string][]asking{
		"the first word": {{0, down, "false", time.Minute, true}},
		"the first word of one that was not asked": {{0, nil, "unknown", time.Minute, true}, {time.Minute, down, "false", time.Minute, true}},
		"one that goes down and stays so": {
			{0, up, "true", time.Minute, true}, {time.Minute, down, "true", 30 * time.Second, false},
			{30 * time.Second, down, "false", time.Minute, true}, {time.Minute, down, "false", time.Minute, false},
		},
		"one that comes back and stays so": {
			{0, down, "false", time.Minute, true}, {time.Minute, up, "false", 30 * time.Second, false},
			{30 * time.Second, up, "true", time.Minute, true},
		},
		"one that comes and goes": {
			{0, up, "true", time.Minute, true}, {time.Minute, down, "true", 30 * time.Second, false}, {30 * time.Second, up, "true", time.Minute, false},
			{time.Minute, down, "true", 30 * time.Second, false}, {29 * time.Second, down, "true", 30 * time.Second, false}, {time.Second, up, "true", time.Minute, false},
		},
		"one that nobody asked since a restart": {{0, down, "false", time.Minute, true}, {time.Minute, nil, "unknown", time.Minute, false}},
	}
	for name, askings := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := begin(t)
			w.serves("first")
			for i, asking := range askings {
				w.now = w.now.Add(asking.after)
				w.finds(asking.says)
				w.want(asking.again, asking.told)
				w.shows()
				if got := w.believed(); got != asking.believed {
					t.Errorf("asking %d: believed is %s, want %s", i, got, asking.believed)
				}
			}
		})
	}
}

func TestAnotherConfigurationMayHaveAnotherUpstreamOfTheName(t *testing.T) {
	t.Parallel()
	w := begin(t)
	w.serves("first")
	w.finds(new(false))
	w.reconciled()
	w.wants("second")
	w.serves("second")
	w.finds(new(true))
	w.want(time.Minute, true)
	if got := w.believed(); got != "true" {
		t.Errorf("believed is %s, want what is said of the present configuration", got)
	}
}
