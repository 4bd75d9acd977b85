package pullthrough

import (
	"errors"
	"time"

	"github.com/registryhub/registryhub/proxy/distspec"
	"github.com/registryhub/registryhub/proxy/metrics"
)

// absentFor is how long an upstream's 404 for a manifest is believed: what is pushed appears after that time at most. A
// tag that is believed for less is asked for again after less.
const absentFor = 10 * time.Second

var errAbsent = errors.New("the upstream has lately said that there is no such manifest")

// saidAbsent is the answer that the upstream gave lately.
func (m *Mirror) saidAbsent(unknown func(error) *distspec.Error) error {
	m.Metrics.Lookup("manifest", metrics.Absent)
	return unknown(errAbsent)
}
