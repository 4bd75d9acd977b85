package proxy_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestThereAreFiguresOfTheUpstreamsInForceAlone(t *testing.T) {
	limited := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Ratelimit-Limit", "100;w=21600")
		w.Header().Set("Ratelimit-Remaining", "76;w=21600")
		w.WriteHeader(http.StatusNotFound)
	}))
	defer limited.Close()
	good := configuration(newOrigin(t).URL, t.TempDir())
	upstreams := func(more string) string { return strings.Replace(good, "upstreams: [", "upstreams: ["+more, 1) }
	asked := fmt.Sprintf("{name: limited, url: %q}, ", limited.URL)
	first := upstreams(`{name: away, url: "http://127.0.0.1:1"}, ` + asked)
	f := runFile(t, first)
	f.figure(t, `registryhub_proxy_upstream_up{upstream="away"} 1`)
	get(t, f.client, f.url("library/app/manifests/1"))
	f.holds(t, `registryhub_proxy_upstream_up{upstream="away"} 0`)
	f.figure(t, `registryhub_proxy_upstream_ratelimit_remaining{upstream="limited"} 76`)

	// Of an upstream of that name that is not asked nothing is known.
	wrong := upstreams(`{name: away, url: "http://127.0.0.1:2"}, {name: bad, url: "https://bad.example", caFile: /nonexistent/ca.crt}, ` + asked)
	f.write(t, wrong)
	f.await(t, "it is refused", refused(wrong))
	f.figure(t, `registryhub_proxy_upstream_up{upstream="away"} 0`)

	moved := upstreams(`{name: away, url: "http://127.0.0.1:2"}, ` + asked)
	f.write(t, moved)
	f.await(t, "it is in force", inForce(moved))
	f.figure(t, `registryhub_proxy_upstream_up{upstream="away"} 1`)

	f.write(t, good)
	f.await(t, "it is in force", inForce(good))
	f.figure(t, `registryhub_proxy_upstream_up{upstream="origin"} 1`)
	_, figures := get(t, f.client, "http://"+f.DiagnosticsAddr().String()+"/metrics")
	for line := range strings.SplitSeq(figures, "\n") {
		gauge := strings.HasPrefix(line, "registryhub_proxy_upstream_up") || strings.HasPrefix(line, "registryhub_proxy_upstream_ratelimit")
		if gauge && !strings.Contains(line, `upstream="origin"`) {
			t.Errorf("of an upstream that is gone there is %s", line)
		}
	}
}
