package metrics

import "sync/atomic"

// answers are the lookups once more, as a proxy reports them of itself.
type answers struct{ answered, missed atomic.Int64 }

func (a *answers) count(result Lookup) {
	switch result {
	case Hit, Stale, Shared:
		a.answered.Add(1)
	case Miss, Uncached:
		a.missed.Add(1)
	case Absent: // nothing was there to have
	}
}

// Answers is how many lookups were answered without a transfer of their own, and how many were not. What is absent is in
// neither.
func (m *Metrics) Answers() (answered, missed int64) {
	return m.answers.answered.Load(), m.answers.missed.Load()
}
