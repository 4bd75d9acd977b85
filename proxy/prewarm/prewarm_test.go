package prewarm

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"
	"go.uber.org/goleak"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	config "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/proxy/distspec"
	"github.com/registryhub/registryhub/proxy/pullthrough"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// shelf is a cache that has what is put on it, and notes what is asked for, and when.
type shelf struct {
	mu        sync.Mutex
	manifests map[string]string
	blobs     []string
	failure   error
	full      bool
	asked     []time.Duration
	began     time.Time
}

func (s *shelf) ManifestAhead(_ context.Context, host, repository string, reference distspec.Reference) (pullthrough.Ahead, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, time.Since(s.began))
	if s.failure != nil {
		return pullthrough.Ahead{}, s.failure
	}
	content, found := s.manifests[host+"/"+repository+"@"+reference.String()]
	if !found {
		return pullthrough.Ahead{}, distspec.ManifestUnknown(nil)
	}
	return pullthrough.Ahead{Digest: digest.FromString(content), Content: []byte(content)}, nil
}

func (s *shelf) BlobAhead(_ context.Context, _, _ string, d digest.Digest) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.blobs = append(s.blobs, d.String())
	return nil
}

func (s *shelf) isFull() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.full
}

func (s *shelf) set(how func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	how()
}

func digestOf(text string) string { return digest.FromString(text).String() }

// run runs a Warmer in a bubble, and ends it with the test.
func run(t *testing.T, s *shelf, wanted config.PrewarmConfiguration) *Warmer {
	t.Helper()
	return runWith(t, s, s, wanted)
}

// runWith has a puller of its own in front of the shelf.
func runWith(t *testing.T, puller Puller, s *shelf, wanted config.PrewarmConfiguration) *Warmer {
	t.Helper()
	s.began = time.Now()
	w := New(Options{Hub: "hub", Puller: puller, Full: s.isFull, Logger: logr.Discard()}, &wanted)
	ctx, end := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { w.Run(ctx) })
	t.Cleanup(func() {
		end()
		running.Wait()
	})
	return w
}

func wanting(images ...string) config.PrewarmConfiguration {
	return config.PrewarmConfiguration{Images: images, Every: &metav1.Duration{Duration: time.Hour}}
}

func TestAnImageIsLookedAtAgainInItsTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &shelf{manifests: map[string]string{"quay.io/a@1": `{}`}}
		run(t, s, wanting("quay.io/a:1"))
		time.Sleep(150 * time.Minute) //nolint:forbidigo // the bubble's clock, which does not wait
		synctest.Wait()
		if diff := cmp.Diff([]time.Duration{0, time.Hour, 2 * time.Hour}, s.asked); diff != "" {
			t.Errorf("it is asked for after (-want +got):\n%s", diff)
		}
	})
}

func TestAFailureIsTriedAgainSoonAndThenLessOften(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &shelf{manifests: map[string]string{"quay.io/a@1": `{}`}, failure: errors.New("away")}
		w := run(t, s, wanting("quay.io/a:1"))
		time.Sleep(8 * time.Minute) //nolint:forbidigo // the bubble's clock, which does not wait
		synctest.Wait()
		if diff := cmp.Diff([]time.Duration{0, time.Minute, 3 * time.Minute, 7 * time.Minute}, s.asked); diff != "" {
			t.Errorf("it is asked for after (-want +got):\n%s", diff)
		}
		want := &config.PrewarmReport{Images: 1, Failing: []config.PrewarmFailure{{Image: "quay.io/a:1", Message: "away"}}}
		if diff := cmp.Diff(want, w.Report()); diff != "" {
			t.Errorf("the report (-want +got):\n%s", diff)
		}
		s.set(func() { s.failure = nil })
		time.Sleep(8 * time.Minute) //nolint:forbidigo // the bubble's clock, which does not wait
		synctest.Wait()
		if diff := cmp.Diff(&config.PrewarmReport{Images: 1, Warm: 1}, w.Report()); diff != "" {
			t.Errorf("the report once it is there (-want +got):\n%s", diff)
		}
	})
}

func TestNothingIsPulledIntoAFullCache(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &shelf{full: true}
		w := run(t, s, wanting("quay.io/a:1"))
		synctest.Wait()
		if len(s.asked) != 0 || w.Report().Failing[0].Message != errFull.Error() {
			t.Errorf("%d were asked for, the report is %+v", len(s.asked), w.Report())
		}
	})
}

func TestOtherImagesAreTakenUpAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &shelf{manifests: map[string]string{"quay.io/a@1": `{}`, "quay.io/b@1": `{}`}}
		w := run(t, s, wanting("quay.io/a:1"))
		synctest.Wait()
		next := wanting("quay.io/a:1", "quay.io/b:1")
		w.Configure(&next)
		synctest.Wait()
		if diff := cmp.Diff(&config.PrewarmReport{Images: 2, Warm: 2}, w.Report()); diff != "" {
			t.Errorf("the report (-want +got):\n%s", diff)
		}
		w.Configure(nil)
		synctest.Wait()
		if got := w.Report(); got != nil {
			t.Errorf("with nothing to pull the report is %+v, want none", got)
		}
	})
}

func TestWhatOfAnImageIsPulled(t *testing.T) {
	t.Parallel()
	image := fmt.Sprintf(`{"config": {"digest": %q}, "layers": [{"digest": %q}, {"digest": %q}, {"digest": %q, "urls": ["https://elsewhere"]}, {"digest": "none"}]}`,
		digestOf("config"), digestOf("layer"), digestOf("layer"), digestOf("foreign"))
	index := func(platforms ...string) string {
		var children []string
		for _, platform := range platforms {
			children = append(children, fmt.Sprintf(`{"digest": %q, "platform": %s}`, digestOf(image), platform))
		}
		return `{"manifests": [` + strings.Join(children, ",") + `]}`
	}
	arm := `{"os": "linux", "architecture": "arm64", "variant": "v8"}`
	nested := fmt.Sprintf(`{"manifests": [{"digest": %q}]}`, digestOf("nested"))
	cases := map[string]struct {
		manifest  string
		platforms []string
		want      []string
		problem   error
	}{
		"an image: its configuration, and each layer once, but none that is elsewhere": {manifest: image, want: []string{"config", "layer"}},
		"an index: its images":              {manifest: index(arm), want: []string{"config", "layer"}},
		"a platform":                        {manifest: index(arm), platforms: []string{"linux/arm64"}, want: []string{"config", "layer"}},
		"a platform with its variant":       {manifest: index(arm), platforms: []string{"linux/arm64/v8"}, want: []string{"config", "layer"}},
		"none of its platforms":             {manifest: index(arm, `{"os": "unknown", "architecture": "unknown"}`), platforms: []string{"linux/amd64"}, problem: errNoPlatform},
		"another variant":                   {manifest: index(arm), platforms: []string{"linux/arm64/v7"}, problem: errNoPlatform},
		"indexes of indexes without end":    {manifest: nested, problem: errDeep},
		"a manifest that is of no platform": {manifest: fmt.Sprintf(`{"manifests": [{"digest": %q}]}`, digestOf(image)), platforms: []string{"linux/amd64"}, want: []string{"config", "layer"}},
	}
	for what, c := range cases {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			s := &shelf{manifests: map[string]string{
				"quay.io/a@1": c.manifest, "quay.io/a@" + digestOf(image): image, "quay.io/a@" + digestOf("nested"): nested,
			}}
			w := New(Options{Puller: s, Full: s.isFull, Logger: logr.Discard()}, nil)
			if err := w.warm(t.Context(), "quay.io/a:1", c.platforms); !errors.Is(err, c.problem) {
				t.Errorf("the error is %v, want %v", err, c.problem)
			}
			var want []string
			for _, one := range c.want {
				want = append(want, digestOf(one))
			}
			slices.Sort(want)
			slices.Sort(s.blobs)
			if diff := cmp.Diff(want, s.blobs); diff != "" {
				t.Errorf("blobs (-want +got):\n%s", diff)
			}
		})
	}
}
