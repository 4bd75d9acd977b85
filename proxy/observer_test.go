package proxy

import (
	"errors"
	"strings"
	"testing"

	"github.com/go-logr/logr/funcr"
	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	config "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/proxy/metrics"
	"github.com/registryhub/registryhub/proxy/upstream"
)

func TestObserverLogsTransitionsAlone(t *testing.T) {
	var lines []string
	o := newObserver("hub", funcr.New(func(_, line string) { lines = append(lines, line) }, funcr.Options{}), metrics.New(prometheus.NewRegistry()))
	one, err := upstream.New(config.UpstreamConfiguration{Name: "one", URL: "https://one.example"}, upstream.Timeouts{})
	if err != nil {
		t.Fatal(err)
	}
	defer one.Close()
	o.follow(clients{{}: one})
	for _, up := range []bool{true, true, false, false, true} {
		o.UpstreamUp("one", up)
	}
	o.UpstreamRateLimit("one", 100, 7)
	o.UpstreamFilesRefused("one", errors.New("why"))
	want := []string{
		`"msg"="upstream does not answer" "hub"="hub" "upstream"="one"`,
		`"msg"="upstream answers again" "hub"="hub" "upstream"="one"`,
		`"msg"="changed certificates refused, those of before stay in force" "hub"="hub" "upstream"="one" "error"="why"`,
	}
	for i := range lines {
		lines[i] = strings.TrimPrefix(lines[i], `"level"=0 `)
	}
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Errorf("logged (-want +got)\n%s", diff)
	}
}

// What one host learns of an upstream is true for the other hosts that have it.
func TestHostsWithTheSameUpstreamShareItsClient(t *testing.T) {
	same := config.UpstreamConfiguration{Name: "one", URL: "https://one.example"}
	other := config.UpstreamConfiguration{Name: "one", URL: "https://one.example/prefix"}
	third := config.UpstreamConfiguration{Name: "three", URL: "https://three.example"}
	made := clients{}
	defer func() { made.closeBut(nil) }()
	told := newObserver("hub", funcr.New(func(_, _ string) {}, funcr.Options{}), metrics.New(prometheus.NewRegistry()))
	hosts, err := made.hosts([]config.MirrorHost{
		{Host: "a.example", Upstreams: []config.UpstreamConfiguration{third, same}}, {Host: "b.example", Upstreams: []config.UpstreamConfiguration{other, same}},
	}, nil, told)
	if err != nil {
		t.Fatal(err)
	}
	if hosts[0].Upstreams[1] != hosts[1].Upstreams[1] || hosts[1].Upstreams[0] == hosts[1].Upstreams[1] || len(made) != 3 {
		t.Errorf("there are %d clients", len(made))
	}
}
