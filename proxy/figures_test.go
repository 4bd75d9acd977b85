package proxy_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/v1/random"

	config "github.com/registryhub/registryhub/api/config/v1alpha1"
)

// figures are those that a proxy reports.
func (r *running) figures(t *testing.T, client *http.Client) (f config.ProxyFigures) {
	t.Helper()
	var report config.ProxyReport
	_, body := get(t, client, "http://"+r.DiagnosticsAddr().String()+"/configz")
	must(t, json.Unmarshal([]byte(body), &report))
	if report.Figures == nil {
		t.Fatalf("no figures in %s", body)
	}
	return *report.Figures
}

func TestAProxyReportsItsFigures(t *testing.T) {
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	o := newOrigin(t)
	img, err := random.Image(1<<10, 1)
	must(t, err)
	layer := o.push(t, "1", img)
	limited := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Ratelimit-Limit", "100;w=21600")
		w.Header().Set("Ratelimit-Remaining", "76;w=21600")
		o.Config.Handler.ServeHTTP(w, r)
	}))
	defer limited.Close()

	dir := t.TempDir()
	r := run(t, limited.URL, dir)
	var at config.ProxyFigures
	eventually(t, "the store is measured and counted", func() bool {
		at = r.figures(t, client)
		return at.Store.CapacityBytes > 0 && at.Store.UsedBytes > 0 && at.Store.Objects != nil && *at.Store.Objects == 0
	})
	if diff := cmp.Diff([]config.UpstreamFigures{{Name: "origin"}}, at.Upstreams); diff != "" {
		t.Errorf("upstreams that nobody asked (-want +got):\n%s", diff)
	}
	for _, path := range []string{"manifests/1", "blobs/" + layer.String(), "blobs/" + layer.String(), "manifests/none"} {
		get(t, client, "http://"+r.RegistryAddr().String()+"/v2/library/app/"+path)
	}
	at = r.figures(t, client)
	known := []config.UpstreamFigures{{Name: "origin", Reachable: new(true), RateLimit: &config.RateLimitFigures{Limit: 100, Remaining: 76}}}
	if diff := cmp.Diff(known, at.Upstreams); diff != "" {
		t.Errorf("upstreams after they were asked (-want +got):\n%s", diff)
	}
	if at.Lookups.Answered == 0 || at.Lookups.Missed < 2 {
		t.Errorf("lookups are %+v, want one that was answered and two that were not", at.Lookups)
	}
	limited.CloseClientConnections()
	limited.Close()
	get(t, client, "http://"+r.RegistryAddr().String()+"/v2/library/app/manifests/other")
	eventually(t, "the upstream is down", func() bool {
		upstreams := r.figures(t, client).Upstreams
		return upstreams[0].Reachable != nil && !*upstreams[0].Reachable
	})
	r.stop()
	must(t, <-r.ended)

	again := run(t, o.URL, dir)
	eventually(t, "the manifest and the layer are counted", func() bool {
		objects := again.figures(t, client).Store.Objects
		return objects != nil && *objects == 2
	})
	again.stop()
	must(t, <-again.ended)
}

func TestUpstreamsOfAnEarlierConfigurationAreNotReported(t *testing.T) {
	dir := t.TempDir()
	f := runFile(t, configuration("http://127.0.0.1:1", dir))
	next := configuration("http://127.0.0.1:2", dir)
	f.write(t, next)
	f.await(t, "the next is in force", inForce(next))
	get(t, f.client, f.url("library/app/manifests/1"))
	eventually(t, "its upstream is down", func() bool {
		upstreams := f.figures(t, f.client).Upstreams
		return len(upstreams) == 1 && upstreams[0].Reachable != nil && !*upstreams[0].Reachable
	})
	f.write(t, configuration("http://127.0.0.1:3", dir))
	eventually(t, "of its successor nothing is known", func() bool {
		return cmp.Equal([]config.UpstreamFigures{{Name: "origin"}}, f.figures(t, f.client).Upstreams)
	})
}
