package alerts

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"
)

// rule is an alert as Prometheus reads it.
type rule struct {
	Alert       string            `json:"alert"`
	Expr        string            `json:"expr"`
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
}

// readRules reads the alerts, and the file of rules that a PrometheusRule's spec is.
func readRules(t *testing.T) (rules []rule, file []byte) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "config", "prometheus", "prometheus-rule.yaml"))
	must(t, err)
	var object struct {
		Spec map[string]any `json:"spec"`
	}
	must(t, yaml.Unmarshal(text, &object))
	file, err = yaml.Marshal(object.Spec)
	must(t, err)
	var spec struct {
		Groups []struct {
			Rules []rule `json:"rules"`
		} `json:"groups"`
	}
	must(t, yaml.UnmarshalStrict(file, &struct{ Groups any }{}))
	must(t, yaml.Unmarshal(file, &spec))
	for _, group := range spec.Groups {
		rules = append(rules, group.Rules...)
	}
	if len(rules) == 0 {
		t.Fatal("there are no rules: the test looks in the wrong place")
	}
	return rules, file
}

func TestRulesByPromtool(t *testing.T) {
	t.Parallel()
	promtool := mustProvide(t).promtool
	folder := t.TempDir()
	_, rules := readRules(t)
	cases, err := os.ReadFile(filepath.Join("testdata", "rules.yaml"))
	must(t, err)
	must(t, os.WriteFile(filepath.Join(folder, "alerts.yaml"), rules, 0o600))
	must(t, os.WriteFile(filepath.Join(folder, "cases.yaml"), cases, 0o600))
	for _, args := range [][]string{{"check", "rules", "--lint=all", "--lint-fatal", "alerts.yaml"}, {"test", "rules", "cases.yaml"}} {
		command := exec.CommandContext(t.Context(), promtool, args...)
		command.Dir = folder
		if out, err := command.CombinedOutput(); err != nil {
			t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
}

func TestEachAlertIsTestedToFireAndNotTo(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join("testdata", "rules.yaml"))
	must(t, err)
	var cases struct {
		Tests []struct {
			Alerts []struct {
				Name string           `json:"alertname"`
				Want []map[string]any `json:"exp_alerts"`
			} `json:"alert_rule_test"`
		} `json:"tests"`
	}
	must(t, yaml.Unmarshal(text, &cases))
	fires, quiet := map[string]bool{}, map[string]bool{}
	for _, c := range cases.Tests {
		for _, alert := range c.Alerts {
			if len(alert.Want) > 0 {
				fires[alert.Name] = true
			} else {
				quiet[alert.Name] = true
			}
		}
	}
	rules, _ := readRules(t)
	for _, r := range rules {
		if !fires[r.Alert] || !quiet[r.Alert] {
			t.Errorf("%s: a case in which it fires: %t; one in which it does not: %t", r.Alert, fires[r.Alert], quiet[r.Alert])
		}
		delete(fires, r.Alert)
		delete(quiet, r.Alert)
	}
	if len(fires)+len(quiet) > 0 {
		t.Errorf("cases of alerts that are not there: %v %v", fires, quiet)
	}
}

// conditionMatcher is a choice of conditions by type or reason.
var conditionMatcher = regexp.MustCompile(`(?:type|reason)[=!]~?"([^"]*)"`)

func TestAlertsNameConditionsAndReasonsOfTheAPI(t *testing.T) {
	t.Parallel()
	constants, err := os.ReadFile(filepath.Join(root, "api", "v1alpha1", "condition_types.go"))
	must(t, err)
	rules, _ := readRules(t)
	named := 0
	for _, r := range rules {
		for selector := range strings.SplitSeq(r.Expr, "registryhub_hub_condition{") {
			selector, _, _ = strings.Cut(selector, "}")
			for _, match := range conditionMatcher.FindAllStringSubmatch(selector, -1) {
				for word := range strings.SplitSeq(match[1], "|") {
					if named++; !strings.Contains(string(constants), fmt.Sprintf("%q", word)) {
						t.Errorf("%s: the API has no condition or reason %q", r.Alert, word)
					}
				}
			}
		}
	}
	if named < 10 {
		t.Errorf("%d conditions and reasons were found in the rules: the test looks in the wrong place", named)
	}
}

func TestEachAlertHasItsSection(t *testing.T) {
	t.Parallel()
	const page = "https://github.com/registryhub/registryhub/blob/main/docs/alerts.md#"
	text, err := os.ReadFile(filepath.Join(root, "docs", "alerts.md"))
	must(t, err)
	var sections []string
	for line := range strings.Lines(string(text)) {
		if name, found := strings.CutPrefix(line, "## "); found {
			sections = append(sections, strings.TrimSpace(name))
		}
	}
	rules, _ := readRules(t)
	var alerts []string
	for _, r := range rules {
		alerts = append(alerts, r.Alert)
		if want := page + strings.ToLower(r.Alert); r.Annotations["runbook_url"] != want {
			t.Errorf("%s: runbook_url is %q, want %q", r.Alert, r.Annotations["runbook_url"], want)
		}
		for _, annotation := range []string{"summary", "description"} {
			if r.Annotations[annotation] == "" {
				t.Errorf("%s has no %s", r.Alert, annotation)
			}
		}
		if severity := r.Labels["severity"]; !strings.Contains(string(text), fmt.Sprintf("\n| %s | ", severity)) {
			t.Errorf("%s: severity %q is not explained", r.Alert, severity)
		}
	}
	if diff := cmp.Diff(alerts, sections); diff != "" {
		t.Errorf("alerts and sections differ, or their order does (-alerts +sections):\n%s", diff)
	}
}
