// Command metrics writes the tables of docs/metrics.md from what the parts register, so that the page has each metric and
// no other. It stands in the repository's root; -check writes nothing and fails where the page is not as it should be.
package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"

	"github.com/prometheus/client_golang/prometheus"

	managermetrics "github.com/registryhub/registryhub/controllers/metrics"
	agentmetrics "github.com/registryhub/registryhub/controllers/nodeagent/metrics"
	proxymetrics "github.com/registryhub/registryhub/proxy/metrics"
)

const page = "docs/metrics.md"

func main() {
	check := flag.Bool("check", false, "write nothing, and fail where the page differs")
	flag.Parse()
	if err := run(page, *check); err != nil {
		fmt.Fprintln(os.Stderr, "metrics:", err)
		os.Exit(1)
	}
}

func run(file string, check bool) error {
	before, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("reading the page of metrics: %w", err)
	}
	after := before
	for part, collectors := range parts() {
		if after, err = replace(after, part, table(collectors)); err != nil {
			return fmt.Errorf("writing the metrics of the %s to %s: %w", part, file, err)
		}
	}
	if check && !bytes.Equal(before, after) {
		return errors.New(file + " is not what the parts register: run make generate")
	}
	if check {
		return nil
	}
	return os.WriteFile(file, after, 0o644)
}

// parts are what each of the programs registers, by the name of its table.
func parts() map[string][]prometheus.Collector {
	var proxy recorder
	proxymetrics.New(&proxy)
	return map[string][]prometheus.Collector{
		"proxy":   proxy.collectors,
		"agent":   agentmetrics.New().Collectors(),
		"manager": managermetrics.NewManager(nil, nil).Collectors(),
	}
}

// recorder notes what is registered with it.
type recorder struct {
	prometheus.Registerer
	collectors []prometheus.Collector
}

// MustRegister implements prometheus.Registerer.
func (r *recorder) MustRegister(collectors ...prometheus.Collector) {
	r.collectors = append(r.collectors, collectors...)
}
