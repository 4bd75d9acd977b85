package pullthrough

import (
	"errors"
	"time"

	"github.com/registryhub/registryhub/proxy/distspec"
	"github.com/registryhub/registryhub/proxy/metrics"
)

// absentFor is how long an upstream's 404 is believed: what is pushed appears after that time at most. A tag or a list that
// is believed for less is asked for again after less.
const absentFor = 10 * time.Second

var errAbsent = errors.New("the upstream has lately said that it has no such thing")

// saidAbsent is the answer that the upstream gave lately.
func (m *Mirror) saidAbsent(kind distspec.Kind, unknown func(error) *distspec.Error) error {
	m.Metrics.Lookup(string(kind), metrics.Absent)
	return unknown(errAbsent)
}
