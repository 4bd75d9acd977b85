package upstream

import (
	"net/http"
	"testing"
)

func TestParseQuota(t *testing.T) {
	for value, want := range map[string]int64{
		"100;w=21600": 100, "76;w=21600": 76, "0;w=21600": 0, "100": 100, " 100 ; w=21600": 100, "10, 10;w=1, 1000;w=3600": 10,
		"": -1, ";w=21600": -1, "-1;w=21600": -1, "1e3;w=1": -1, "99999999999999999999": -1, "9007199254740993": -1, "x": -1,
	} {
		got, ok := parseQuota(value)
		if ok != (want >= 0) || (ok && got != want) {
			t.Errorf("%q: got %d, %v; want %d", value, got, ok, want)
		}
	}
}

func FuzzParseQuota(f *testing.F) {
	for _, seed := range []string{"", "100;w=21600", "0", "100, 100;w=10", ";;", "1;w=1;x", "18446744073709551615"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		if quota, ok := parseQuota(value); quota < 0 || quota > maxQuota || (!ok && quota != 0) {
			t.Errorf("%q is read as %d, %v", value, quota, ok)
		}
	})
}

func TestRateLimitsOfTheUpstreamItselfAreTold(t *testing.T) {
	limits := func(limit, remaining string, next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("ratelimit-limit", limit)
			w.Header().Set("ratelimit-remaining", remaining)
			next.ServeHTTP(w, r)
		})
	}
	elsewhere, _ := serve(t, limits("7;w=1", "6;w=1", realRegistry(t, "a")))
	tests := map[string]struct {
		answer                   http.Handler
		wantLimit, wantRemaining int64
	}{
		"with an answer":                   {limits("100;w=21600", "76;w=21600", realRegistry(t, "a")), 100, 76},
		"with a refusal":                   {limits("100;w=21600", "0;w=21600", answering(http.StatusTooManyRequests)), 100, 0},
		"not by one alone":                 {limits("100;w=21600", "", realRegistry(t, "a")), -1, -1},
		"not by nonsense":                  {limits("100;w=21600", "many", realRegistry(t, "a")), -1, -1},
		"not by the host of a redirection": {http.RedirectHandler(elsewhere.URL+"/v2/a/manifests/v1", http.StatusFound), -1, -1},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			server, _ := serve(t, tc.answer)
			told := &telltale{limit: -1, remaining: -1}
			_, _ = observed(t, server.URL, Timeouts{}, told).Manifest(t.Context(), "a", tagged(t, "v1"))
			if limit, remaining := told.limits(); limit != tc.wantLimit || remaining != tc.wantRemaining {
				t.Errorf("told of %d and %d, want %d and %d", limit, remaining, tc.wantLimit, tc.wantRemaining)
			}
		})
	}
}
