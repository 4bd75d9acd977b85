// Package prewarm pulls images into a mirror's cache before anybody asks for them, and looks now and then whether they
// are still there and still what their tags name.
package prewarm

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"github.com/opencontainers/go-digest"

	config "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/proxy/distspec"
	"github.com/registryhub/registryhub/proxy/pullthrough"
)

const (
	// firstRetry is how long after a round with a failure the next begins; then twice as long, up to a usual round's time.
	firstRetry = time.Minute
	// maxMessage is the most bytes of a reported message.
	maxMessage = 256
)

// Puller brings content into the cache: a *pullthrough.Mirror.
type Puller interface {
	ManifestAhead(ctx context.Context, host, repository string, reference distspec.Reference) (pullthrough.Ahead, error)
	BlobAhead(ctx context.Context, host, repository string, d digest.Digest) error
}

// Options of a Warmer. All are required.
type Options struct {
	// Hub is the hub's name, for logs.
	Hub    string
	Puller Puller
	// Full says whether the cache has no room, so that nothing is pulled into it that nobody asked for.
	Full   func() bool
	Logger logr.Logger
}

// Warmer pulls images ahead while it runs.
type Warmer struct {
	Options
	changed chan struct{}

	mu     sync.Mutex
	wanted config.PrewarmConfiguration
	// state of each wanted image, absent before it was looked at.
	state map[string]state
}

// state is what came of an image when it was looked at last.
type state struct {
	warm    bool
	problem string // empty for none
}

// New returns a Warmer, which does nothing until Run.
func New(options Options, wanted *config.PrewarmConfiguration) *Warmer {
	w := &Warmer{Options: options, changed: make(chan struct{}, 1), state: map[string]state{}}
	w.Configure(wanted)
	return w
}

// Configure takes other images, from now on; nil is none. What is known of those that stay stays known. It does not wait.
func (w *Warmer) Configure(wanted *config.PrewarmConfiguration) {
	if wanted == nil {
		wanted = &config.PrewarmConfiguration{}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if equal(w.wanted, *wanted) {
		return
	}
	if !slices.Equal(w.wanted.Platforms, wanted.Platforms) {
		clear(w.state)
	}
	w.wanted = *wanted.DeepCopy()
	for image := range w.state {
		if !slices.Contains(w.wanted.Images, image) {
			delete(w.state, image)
		}
	}
	select {
	case w.changed <- struct{}{}:
	default:
	}
}

func equal(a, b config.PrewarmConfiguration) bool {
	return slices.Equal(a.Images, b.Images) && slices.Equal(a.Platforms, b.Platforms) && every(a) == every(b)
}

func every(c config.PrewarmConfiguration) time.Duration {
	if c.Every == nil {
		return 0
	}
	return c.Every.Duration
}

// Report says how far it is; nil when there is nothing to pull.
func (w *Warmer) Report() *config.PrewarmReport {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.wanted.Images) == 0 {
		return nil
	}
	report := &config.PrewarmReport{Images: int32(len(w.wanted.Images))} //nolint:gosec // G115: at most 256
	for _, image := range w.wanted.Images {
		now := w.state[image]
		if now.warm {
			report.Warm++
		}
		if now.problem != "" && len(report.Failing) < config.MaxPrewarmFailing {
			report.Failing = append(report.Failing, config.PrewarmFailure{Image: image, Message: now.problem})
		}
	}
	return report
}

// Run pulls until the context ends. It is called once.
func (w *Warmer) Run(ctx context.Context) {
	retry := firstRetry
	for ctx.Err() == nil {
		pause, failed := w.round(ctx)
		if failed {
			pause, retry = min(pause, retry), min(2*retry, pause)
		} else {
			retry = firstRetry
		}
		if w.rest(ctx, pause) {
			retry = firstRetry
		}
	}
}

// rest waits for the next round, and reports whether it begins early, because something else is wanted.
func (w *Warmer) rest(ctx context.Context, pause time.Duration) (changed bool) {
	var due <-chan time.Time
	if pause > 0 {
		timer := time.NewTimer(pause)
		defer timer.Stop()
		due = timer.C
	}
	select {
	case <-ctx.Done():
	case <-due:
	case <-w.changed:
		return true
	}
	return false
}

// round looks at each image once, one after the other, so that nobody who waits for a pull waits behind many of these. It
// ends early when other images are wanted. The pause after it is 0 when there is nothing to do at all.
func (w *Warmer) round(ctx context.Context) (pause time.Duration, failed bool) {
	w.mu.Lock()
	wanted := w.wanted
	w.mu.Unlock()
	if len(wanted.Images) == 0 {
		return 0, false
	}
	for _, image := range wanted.Images {
		if len(w.changed) > 0 {
			return every(wanted), failed
		}
		err := w.warm(ctx, image, wanted.Platforms)
		if ctx.Err() != nil {
			return 0, false
		}
		w.note(image, err)
		failed = failed || err != nil
	}
	return every(wanted), failed
}

func (w *Warmer) warm(ctx context.Context, reference string, platforms []string) error {
	image, err := config.ParseImage("image", reference)
	if err != nil {
		return err
	}
	return w.pull(ctx, image, platforms)
}

// note remembers what came of an image, and tells of it when that is news.
func (w *Warmer) note(image string, err error) {
	now := state{warm: err == nil, problem: problem(err)}
	w.mu.Lock()
	before := w.state[image]
	if slices.Contains(w.wanted.Images, image) {
		w.state[image] = now
	}
	w.mu.Unlock()
	switch {
	case before == now:
	case err != nil:
		w.Logger.Info("image could not be pulled ahead", "hub", w.Hub, "image", image, "reason", now.problem)
	default:
		w.Logger.Info("image pulled ahead", "hub", w.Hub, "image", image)
	}
}

// problem is what a person reads of an error.
func problem(err error) string {
	if err == nil {
		return ""
	}
	message := err.Error()
	if said, is := errors.AsType[*distspec.Error](err); is {
		message = said.Message
	}
	if len(message) > maxMessage {
		message = strings.ToValidUTF8(message[:maxMessage], "")
	}
	return message
}
