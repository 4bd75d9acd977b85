package forget_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/registryhub/registryhub/proxy/evict/forget"
	"github.com/registryhub/registryhub/proxy/metrics"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// asked is one call of Forget: after how long, and how old names and lists were to be.
type asked struct{ After, Age, ListsAge time.Duration }

// shelf is a store that tells what it was asked.
type shelf struct {
	began     time.Time
	asked     []asked
	unelected bool
}

func (s *shelf) Forget(_ context.Context, since, listsSince time.Time) (int64, error) {
	s.asked = append(s.asked, asked{time.Since(s.began), time.Since(since), time.Since(listsSince)})
	return 1, nil
}

func (s *shelf) Elected(context.Context) bool { return !s.unelected }

// TestForgets holds what is forgotten when, and that a store without room need not wait.
func TestForgets(t *testing.T) {
	t.Parallel()
	const first, day, hour, minute = forget.FirstAfter, 24 * time.Hour, time.Hour, time.Minute
	for name, tc := range map[string]struct {
		unelected bool
		// short is when the store has no room any more.
		short time.Duration
		want  []asked
	}{
		"well":                {want: []asked{{first, day, 30 * day}, {first + 6*hour, day, 30 * day}}, short: day},
		"without room":        {want: []asked{{first, day, 30 * day}, {first + 10*minute, hour, hour}, {first + 20*minute, hour, hour}}, short: minute},
		"another does":        {unelected: true},
		"without room before": {want: []asked{{first, hour, hour}, {first + 10*minute, hour, hour}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := &shelf{began: time.Now(), unelected: tc.unelected}
				f := forget.New(forget.Options{
					Hub: "hub", Store: s, Short: func() bool { return time.Since(s.began) >= tc.short },
					Logger: logr.Discard(), Metrics: metrics.New(prometheus.NewRegistry()),
				})
				length := hour
				if len(tc.want) > 0 {
					length = tc.want[len(tc.want)-1].After + minute
				}
				ctx, cancel := context.WithTimeout(t.Context(), length)
				defer cancel()
				f.Run(ctx)
				if diff := cmp.Diff(tc.want, s.asked); diff != "" {
					t.Errorf("asked to forget (-want +got):\n%s", diff)
				}
			})
		})
	}
}
