package metrics

import "github.com/prometheus/client_golang/prometheus"

// Review is what a registry asks its cluster's API server.
type Review string

// The reviews.
const (
	// ReviewOfToken asks whose a token is.
	ReviewOfToken Review = "token"
	// ReviewOfRight asks whether somebody may do something.
	ReviewOfRight Review = "right"
)

// ReviewOutcome says what became of a review.
type ReviewOutcome string

// The outcomes of a review.
const (
	// ReviewAnswered was answered, with yes or no.
	ReviewAnswered ReviewOutcome = "answered"
	// ReviewFailed was not: the API server is away, or does not let the registry ask.
	ReviewFailed ReviewOutcome = "failed"
	// ReviewHeldBack was not asked, since too many were.
	ReviewHeldBack ReviewOutcome = "held_back"
)

func newReviews() *prometheus.CounterVec {
	reviews := counters("reviews_total", "Questions to the cluster's API server by what was asked (token: whose it is, right: whether it is there) and outcome (answered, failed, held_back: too many at once).", "review", "outcome")
	for _, review := range []Review{ReviewOfToken, ReviewOfRight} {
		for _, outcome := range []ReviewOutcome{ReviewAnswered, ReviewFailed, ReviewHeldBack} {
			reviews.WithLabelValues(string(review), string(outcome)) // 0 is a figure too
		}
	}
	return reviews
}

// Reviewed counts a question to the cluster's API server.
func (m *Metrics) Reviewed(review Review, outcome ReviewOutcome) {
	m.reviews.WithLabelValues(string(review), string(outcome)).Inc()
}
