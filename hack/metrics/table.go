package main

import (
	"bytes"
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
)

// row is one metric.
type row struct{ name, kind, help, labels string }

// table is Markdown, sorted by the metrics' names.
func table(collectors []prometheus.Collector) []byte {
	var rows []row
	for _, collector := range collectors {
		for _, desc := range describe(collector) {
			rows = append(rows, rowOf(desc, collector))
		}
	}
	slices.SortFunc(rows, func(a, b row) int { return cmp.Compare(a.name, b.name) })
	var text bytes.Buffer
	text.WriteString("| metric | type | meaning | labels |\n|---|---|---|---|\n")
	for _, r := range rows {
		fmt.Fprintf(&text, "| `%s` | %s | %s | %s |\n", r.name, r.kind, strings.TrimSuffix(r.help, "."), r.labels)
	}
	return text.Bytes()
}

func describe(collector prometheus.Collector) []*prometheus.Desc {
	descs := make(chan *prometheus.Desc)
	go func() {
		defer close(descs)
		collector.Describe(descs)
	}()
	return slices.Collect(func(yield func(*prometheus.Desc) bool) {
		for desc := range descs {
			yield(desc)
		}
	})
}

// description is how a Desc prints itself: it has no other way to be read.
var description = regexp.MustCompile(`^Desc\{fqName: ("(?:[^"\\]|\\.)*"), help: ("(?:[^"\\]|\\.)*"), .*variableLabels: \{([^}]*)\}`)

func rowOf(desc *prometheus.Desc, collector prometheus.Collector) row {
	parts := description.FindStringSubmatch(desc.String())
	if parts == nil {
		panic("client_golang prints a Desc in another way: " + desc.String())
	}
	r := row{name: unquote(parts[1]), help: unquote(parts[2])}
	if parts[3] != "" {
		r.labels = "`" + strings.Join(strings.Split(parts[3], ","), "`, `") + "`"
	}
	r.kind = kindOf(r.name, collector)
	return r
}

func kindOf(name string, collector prometheus.Collector) string {
	switch collector.(type) {
	case *prometheus.HistogramVec, prometheus.Histogram:
		return "histogram"
	}
	if strings.HasSuffix(name, "_total") { // the linter of names holds counters to it, and them alone
		return "counter"
	}
	return "gauge"
}

func unquote(text string) string {
	plain, err := strconv.Unquote(text)
	if err != nil {
		panic("client_golang prints a Desc in another way: " + text)
	}
	return plain
}

// replace puts a table between the two comments of the page that name it.
func replace(page []byte, part string, table []byte) ([]byte, error) {
	begin, end := []byte("<!-- metrics of the "+part+", written by make generate -->\n"), []byte("<!-- end -->\n")
	before, rest, found := bytes.Cut(page, begin)
	_, after, closed := bytes.Cut(rest, end)
	if !found || !closed {
		return nil, fmt.Errorf("there are no two lines %q and %q", begin, end)
	}
	return slices.Concat(before, begin, table, end, after), nil
}
