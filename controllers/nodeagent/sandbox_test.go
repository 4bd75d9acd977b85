package nodeagent

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/api/v1alpha1"
	"github.com/registryhub/registryhub/controllers/nodeagent/doctor"
	"github.com/registryhub/registryhub/controllers/nodeagent/runtime"
)

// runtimeOf is a runtime whose sandboxes have this image; what it is told to say counts how often it was asked.
type runtimeOf struct {
	image   string
	err     error
	started time.Time
	asked   int
}

func (r *runtimeOf) sandbox() *sandbox {
	return &sandbox{
		look: func() doctor.Node {
			r.asked++
			return doctor.Node{Config: runtime.Config{SandboxImage: r.image}, Unknown: r.err}
		},
		started: func() time.Time { return r.started },
	}
}

func (b *bench) withSandboxes(r *runtimeOf) {
	b.withCanaries()
	b.keeper.proving.sandboxes = r.sandbox()
}

func TestNoFallbackIsRefusedForTheHostOfTheSandbox(t *testing.T) {
	t.Parallel()
	for sentence, tc := range map[string]struct {
		hubs  []configv1alpha1.NodeHub
		image string
		// stay are the hosts that have no fallback, refused those for which it is said.
		stay, refused []string
	}{
		"another host's":               {[]configv1alpha1.NodeHub{staying(hub("a", "x.io"))}, "y.io/pause:1", []string{"x.io"}, nil},
		"its host's":                   {[]configv1alpha1.NodeHub{staying(hub("a", "x.io"))}, "x.io/pause:1", nil, []string{"x.io"}},
		"one of its hosts'":            {[]configv1alpha1.NodeHub{staying(hub("a", "x.io", "y.io"))}, "y.io/pause:1", nil, []string{"y.io"}},
		"that of a hub which has one":  {[]configv1alpha1.NodeHub{hub("a", "x.io"), staying(hub("b", "y.io"))}, "x.io/pause:1", []string{"y.io"}, nil},
		"that of a hub for elsewhere":  {[]configv1alpha1.NodeHub{onNodes(staying(hub("a", "x.io")), map[string]string{"zone": "b"})}, "x.io/pause:1", nil, nil},
		"an image that is not known":   {[]configv1alpha1.NodeHub{staying(hub("a", "x.io"))}, "", []string{"x.io"}, nil},
		"an image of the default host": {[]configv1alpha1.NodeHub{staying(hub("a", "docker.io"))}, "team/pause", nil, []string{"docker.io"}},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, configMap(t, configuration(5, tc.hubs...)), ownNode(nil), ownMirror())
			b.withSandboxes(&runtimeOf{image: tc.image})
			b.mustPass()
			var stay, refused []string
			for _, host := range []string{"docker.io", "x.io", "y.io"} {
				if b.file(host) != "" && b.decoded(host).Server != "" {
					stay = append(stay, host)
				}
			}
			for _, exception := range b.status().Exceptions {
				if exception.Reason == v1alpha1.NodeReasonFallbackRefused && strings.Contains(exception.Message, tc.image) {
					refused = append(refused, exception.Host)
				}
			}
			if diff := cmp.Diff(tc.stay, stay); diff != "" {
				t.Errorf("without fallback (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tc.refused, refused); diff != "" {
				t.Errorf("refused (-want +got):\n%s", diff)
			}
		})
	}
}

// What a runtime has read at its start is in force until its end, and may be asked for once.
func TestTheSandboxIsLookedForOnceForEachRuntime(t *testing.T) {
	t.Parallel()
	r := &runtimeOf{err: errors.New("it does not answer yet"), started: began}
	s := r.sandbox()
	steps := []struct {
		what   string
		change func()
		want   string
		asked  int
	}{
		{"it does not answer", func() {}, "", 1},
		{"it answers", func() { r.err, r.image = nil, "x.io/pause:1" }, "x.io/pause:1", 2},
		{"nothing has changed", func() { r.image = "y.io/pause:1" }, "x.io/pause:1", 2},
		{"it starts again, and does not answer", func() { r.started, r.err = began.Add(time.Second), errors.New("gone") }, "x.io/pause:1", 3},
		{"it answers again", func() { r.err = nil }, "y.io/pause:1", 4},
	}
	for _, step := range steps {
		step.change()
		if got := s.name(); got != step.want || r.asked != step.asked {
			t.Errorf("%s: %q after %d questions, want %q after %d", step.what, got, r.asked, step.want, step.asked)
		}
	}
}

func TestTheRuntimeIsNotAskedForASandboxThatNobodyMinds(t *testing.T) {
	t.Parallel()
	b := newBench(t, configMap(t, configuration(5, hub("a", "x.io"))), ownNode(nil), ownMirror())
	r := &runtimeOf{image: "x.io/pause:1"}
	b.withSandboxes(r)
	b.mustPass()
	if r.asked > 0 {
		t.Errorf("it was asked %d times", r.asked)
	}
}
