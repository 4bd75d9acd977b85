package alerts

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

// mayBeEmpty are queries that say nothing where all is well, or of a file system that counts no files.
func mayBeEmpty(query string) bool { return strings.Contains(query, "store_capacity_inodes") }

func TestQueriesAgainstARun(t *testing.T) {
	t.Parallel()
	p := startSite(t)
	t.Run("every panel shows something", func(t *testing.T) {
		for _, panel := range readDashboard(t).Panels {
			for _, target := range panel.Targets {
				query := withoutVariables.Replace(target.Expr)
				if len(p.query(t, query)) == 0 && !mayBeEmpty(query) {
					t.Errorf("%s shows nothing: %s", panel.Title, query)
				}
				p.mustKnow(t, query)
			}
		}
		for _, variable := range readDashboard(t).Templating.List {
			if selector, found := strings.CutPrefix(variable.Definition, "label_values("); found {
				metric, label, _ := strings.Cut(strings.TrimSuffix(selector, ")"), ", ")
				if len(p.query(t, metric+"{"+label+`!=""}`)) == 0 {
					t.Errorf("the variable %s has nothing to choose from", variable.Name)
				}
			}
		}
	})
	t.Run("every rule is about what there is", func(t *testing.T) {
		rules, _ := readRules(t)
		for _, r := range rules {
			p.query(t, r.Expr)
			p.mustKnow(t, r.Expr)
		}
	})
	t.Run("Prometheus evaluates every rule", func(t *testing.T) {
		rules, _ := readRules(t)
		evaluated := p.evaluated(t)
		for _, r := range rules {
			if evaluated[r.Alert] != "ok" {
				t.Errorf("%s: health %q", r.Alert, evaluated[r.Alert])
			}
		}
	})
	t.Run("what the documents tell people to ask works", func(t *testing.T) {
		for _, query := range documented(t) {
			query = strings.ReplaceAll(query, `"NAME"`, `"docker-io"`)
			p.query(t, query)
			p.mustKnow(t, query)
		}
	})
}

// prometheusOwn are series that no program of ours tells.
var prometheusOwn = []string{"ALERTS", "up"}

// mustKnow fails unless each selector of a query chooses a metric that was scraped and names labels that it has, and each
// grouping is by a label that something below it has.
func (p *site) mustKnow(t *testing.T, query string) {
	t.Helper()
	p.walk(t, query, p.parse(t, query))
}

// walk goes through a parsed query, and gives the labels of what is selected below.
func (p *site) walk(t *testing.T, query string, node any) map[string]bool {
	t.Helper()
	labels := map[string]bool{}
	switch node := node.(type) {
	case []any:
		for _, child := range node {
			maps.Copy(labels, p.walk(t, query, child))
		}
	case map[string]any:
		if node["type"] == "vectorSelector" || node["type"] == "matrixSelector" {
			return p.labelsOf(t, query, node)
		}
		for _, child := range node {
			maps.Copy(labels, p.walk(t, query, child))
		}
		if grouping, _ := node["grouping"].([]any); len(labels) > 0 {
			for _, label := range grouping {
				if !labels[label.(string)] {
					t.Errorf("nothing has the label %s by which is grouped in %s", label, query)
				}
			}
		}
	}
	return labels
}

func (p *site) labelsOf(t *testing.T, query string, selector map[string]any) map[string]bool {
	t.Helper()
	name, _ := selector["name"].(string)
	if slices.Contains(prometheusOwn, name) {
		return nil
	}
	var present []string
	for _, matcher := range selector["matchers"].([]any) {
		if label := matcher.(map[string]any)["name"].(string); label != "__name__" {
			present = append(present, label+`!=""`)
		}
	}
	found := p.query(t, name+"{"+strings.Join(present, ",")+"}")
	if len(found) == 0 {
		t.Errorf("no %s with %v was told by any program; it is asked for in %s", name, present, query)
	}
	labels := map[string]bool{}
	for _, series := range found {
		for label := range series {
			labels[label] = true
		}
	}
	return labels
}
