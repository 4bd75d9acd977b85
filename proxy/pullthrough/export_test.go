package pullthrough

// Bound is for a test that cannot have as many fills and lanes as there are. It is called before the first request.
func (m *Mirror) Bound(fills, lanes int) {
	m.turns, m.lanes = make(chan struct{}, fills), make(chan struct{}, lanes)
}

// MaxAside is how many transfers are begun for who waits far ahead of a fill.
const MaxAside = maxAside
