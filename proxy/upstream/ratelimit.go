package upstream

import (
	"net/http"
	"strconv"
	"strings"
)

// RateLimit is how many requests an upstream allows in its window of time, and how many of them are left, as it last said.
type RateLimit struct{ Limit, Remaining int64 }

// rateLimitOf reads Docker Hub's ratelimit-limit and ratelimit-remaining, such as 100;w=21600: requests in a window
// of so many seconds (https://docs.docker.com/docker-hub/usage/pulls/).
func rateLimitOf(header http.Header) (said RateLimit, ok bool) {
	limit, hasLimit := parseQuota(header.Get("Ratelimit-Limit"))
	remaining, hasRemaining := parseQuota(header.Get("Ratelimit-Remaining"))
	return RateLimit{Limit: limit, Remaining: remaining}, hasLimit && hasRemaining
}

// maxQuota is more than any upstream allows, and what a gauge still holds exactly.
const maxQuota = 1 << 53

// parseQuota is the number before the parameters of the first item.
func parseQuota(value string) (int64, bool) {
	first, _, _ := strings.Cut(value, ",")
	number, _, _ := strings.Cut(first, ";")
	quota, err := strconv.ParseUint(strings.TrimSpace(number), 10, 63)
	if err != nil || quota > maxQuota {
		return 0, false
	}
	return int64(quota), true
}
