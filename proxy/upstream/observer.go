package upstream

// Observer is told what a client learns of its upstream, which it names by its configured name. Its methods are called
// concurrently, and must not wait.
type Observer interface {
	// UpstreamUp says whether the upstream is asked, when its client is announced and when that changes: false once it was
	// found not to answer, true again when it answers.
	UpstreamUp(upstream string, up bool)
	// UpstreamRateLimit says how many requests the upstream allows in its window of time, and how many of them are left
	// (Docker Hub's ratelimit-limit and ratelimit-remaining).
	UpstreamRateLimit(upstream string, limit, remaining int64)
	// UpstreamFilesRefused says that a file of certificates has changed to what cannot be used (*secretfile.Error). What was
	// read before stays in force. It is said once for each change.
	UpstreamFilesRefused(upstream string, err error)
}

// observers tell each of them.
type observers []Observer

func (o observers) up(upstream string, up bool) {
	for _, each := range o {
		each.UpstreamUp(upstream, up)
	}
}

func (o observers) rateLimit(upstream string, limit, remaining int64) {
	for _, each := range o {
		each.UpstreamRateLimit(upstream, limit, remaining)
	}
}

func (o observers) filesRefused(upstream string, err error) {
	for _, each := range o {
		each.UpstreamFilesRefused(upstream, err)
	}
}
