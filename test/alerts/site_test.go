package alerts

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
)

// site is a Prometheus that scrapes a hub's proxy, through which was pulled, and a manager.
type site struct {
	address string
	client  *http.Client
}

const prometheusConfiguration = `
global: {scrape_interval: 1s, evaluation_interval: 1s}
rule_files: [alerts.yaml, probe.yaml]
scrape_configs:
- job_name: proxies
  static_configs:
  - targets: [%q]
    labels: {hub: docker-io, pod: hub-docker-io-0}
- job_name: manager
  static_configs:
  - targets: [%q]
`

// probe fires when Prometheus has evaluated rules for some seconds.
const probe = "groups: [{name: probe, rules: [{alert: Probe, expr: vector(1), for: 3s}]}]"

// patience is for a machine that has something else to do.
const patience = 2 * time.Minute

func startSite(t *testing.T) *site {
	t.Helper()
	server := mustProvide(t).server
	hub := startHub(t)
	hub.pull(t)
	hub.pull(t)
	manager := startManager(t)
	folder := t.TempDir()
	_, rules := readRules(t)
	must(t, os.WriteFile(filepath.Join(folder, "alerts.yaml"), rules, 0o600))
	must(t, os.WriteFile(filepath.Join(folder, "probe.yaml"), []byte(probe), 0o600))
	configuration := fmt.Sprintf(prometheusConfiguration, hub.DiagnosticsAddr(), manager)
	must(t, os.WriteFile(filepath.Join(folder, "prometheus.yaml"), []byte(configuration), 0o600))

	s := &site{address: freeAddress(t), client: &http.Client{Transport: &http.Transport{}}}
	t.Cleanup(s.client.CloseIdleConnections)
	s.run(t, server, folder)
	s.await(t, `min(count_over_time(registryhub_proxy_build_info[1m])) >= 4 and min(count_over_time(registryhub_manager_leader[1m])) >= 4`)
	return s
}

func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer func() { _ = listener.Close() }()
	return listener.Addr().String()
}

// run runs Prometheus until the test ends.
func (s *site) run(t *testing.T, server, folder string) {
	t.Helper()
	log, err := os.Create(filepath.Join(folder, "log"))
	must(t, err)
	defer func() { _ = log.Close() }()
	command := exec.Command(server, "--config.file="+filepath.Join(folder, "prometheus.yaml"),
		"--storage.tsdb.path="+filepath.Join(folder, "data"), "--web.listen-address="+s.address)
	command.Stdout, command.Stderr = log, log
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	must(t, command.Start())
	var ended errgroup.Group
	ended.Go(command.Wait)
	t.Cleanup(func() {
		_ = command.Process.Signal(syscall.SIGTERM) // it may have ended by itself, which the tests have seen then
		if err := ended.Wait(); err != nil || t.Failed() {
			text, _ := os.ReadFile(filepath.Join(folder, "log"))
			t.Logf("Prometheus ended (%v):\n%s", err, text)
		}
	})
}

// await waits until a query gives something.
func (s *site) await(t *testing.T, query string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for ticks := time.NewTicker(100 * time.Millisecond); ; {
		var found []any
		if err := s.get(ctx, "query", url.Values{"query": {query}}, &result{Result: &found}); err == nil && len(found) > 0 {
			ticks.Stop()
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("%s: not true within %s", query, patience)
		case <-ticks.C:
		}
	}
}

type result struct {
	Result any `json:"result"`
}

// query gives the labels of the series that a query gives.
func (s *site) query(t *testing.T, query string) []map[string]string {
	t.Helper()
	var series []struct {
		Metric map[string]string `json:"metric"`
	}
	if err := s.get(t.Context(), "query", url.Values{"query": {query}}, &result{Result: &series}); err != nil {
		t.Errorf("%s: %v", query, err)
	}
	labels := make([]map[string]string, 0, len(series))
	for _, one := range series {
		labels = append(labels, one.Metric)
	}
	return labels
}

// parse gives what Prometheus understands a query to be.
func (s *site) parse(t *testing.T, query string) any {
	t.Helper()
	var parsed any
	if err := s.get(t.Context(), "parse_query", url.Values{"query": {query}}, &parsed); err != nil {
		t.Errorf("%s: %v", query, err)
	}
	return parsed
}

// evaluated gives the health of each alert, once all have been evaluated.
func (s *site) evaluated(t *testing.T) map[string]string {
	t.Helper()
	s.await(t, "ALERTS{alertname=\"Probe\",alertstate=\"firing\"}")
	var groups struct {
		Groups []struct {
			Rules []struct{ Name, Health string } `json:"rules"`
		} `json:"groups"`
	}
	health := map[string]string{}
	must(t, s.get(t.Context(), "rules", nil, &groups))
	for _, group := range groups.Groups {
		for _, r := range group.Rules {
			health[r.Name] = r.Health
		}
	}
	return health
}

// get asks Prometheus' API.
func (s *site) get(ctx context.Context, what string, parameters url.Values, into any) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.address+"/api/v1/"+what+"?"+parameters.Encode(), http.NoBody)
	if err != nil {
		return err
	}
	response, err := s.client.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	answer := struct {
		Status, Error string
		Data          any
	}{Data: into}
	if err := json.Unmarshal(body, &answer); err != nil || answer.Status != "success" {
		return fmt.Errorf("prometheus answers %d: %s (%w)", response.StatusCode, body, err)
	}
	return nil
}

var fenced = regexp.MustCompile("(?s)```promql\n(.*?)```")

// documented are the queries of the pages about metrics and alerts.
func documented(t *testing.T) []string {
	t.Helper()
	var queries []string
	for _, page := range []string{"metrics.md", "alerts.md"} {
		text, err := os.ReadFile(filepath.Join(root, "docs", page))
		must(t, err)
		for _, match := range fenced.FindAllStringSubmatch(string(text), -1) {
			queries = append(queries, strings.TrimSpace(match[1]))
		}
	}
	if len(queries) == 0 {
		t.Fatal("the pages have no query: the test looks in the wrong place")
	}
	return queries
}
