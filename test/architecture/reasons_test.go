package architecture

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// Every condition and reason that a person can meet is explained.
func TestDocumentsExplainEveryConditionAndReason(t *testing.T) {
	t.Parallel()
	pages := map[string]string{"Condition": "docs/conditions.md", "Reason": "docs/conditions.md", "NodeReason": "docs/nodemirror.md"}
	explained := 0
	for _, file := range []string{"condition_types.go", "nodemirror_types.go"} {
		for name, value := range stringConstants(t, filepath.Join(root, "api/v1alpha1", file)) {
			for prefix, page := range pages {
				if !strings.HasPrefix(name, prefix) {
					continue
				}
				explained++
				if !strings.Contains(read(t, filepath.Join(root, page)), "`"+value+"`") {
					t.Errorf("%s does not explain %s, the value of %s", page, value, name)
				}
			}
		}
	}
	if explained == 0 {
		t.Error("no constant was found: the test looks in the wrong place")
	}
}

// Every reason that asks something of a person, by the last cell of its row, has a section that says what to do about it.
func TestEveryReasonToActHasASection(t *testing.T) {
	t.Parallel()
	guide := read(t, filepath.Join(root, "docs/guides/troubleshooting.md"))
	rows := map[string][]string{}
	for page, reasonRow := range reasonRows {
		for line := range strings.Lines(read(t, filepath.Join(root, page))) {
			if row := reasonRow.FindStringSubmatch(strings.TrimSpace(line)); row != nil {
				rows[row[1]] = append(rows[row[1]], strings.TrimSpace(row[2]))
			}
		}
	}
	if len(rows) < 30 {
		t.Fatalf("found %d reasons: the test looks in the wrong place", len(rows))
	}
	for reason, actions := range rows {
		if strings.Join(actions, "") != "" && !strings.Contains(guide, "\n### `"+reason+"`\n") {
			t.Errorf("docs/guides/troubleshooting.md has no section `%s`", reason)
		}
	}
}

// reasonRows are rows of the tables of reasons, with the reason in the second cell or the first, and an action in the last.
var reasonRows = map[string]*regexp.Regexp{
	"docs/conditions.md": regexp.MustCompile("^\\| (?:`[A-Za-z]+` )?\\| `([A-Z][A-Za-z]+)` \\| [^|]+ \\|([^|]*)\\|$"),
	"docs/nodemirror.md": regexp.MustCompile("^\\| `([A-Z][A-Za-z]+)` \\| [^|]+ \\|([^|]*)\\|$"),
}

func stringConstants(t *testing.T, file string) map[string]string {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		t.Fatalf("parsing %s: %v", file, err)
	}
	values := map[string]string{}
	ast.Inspect(parsed, func(node ast.Node) bool {
		spec, ok := node.(*ast.ValueSpec)
		if !ok {
			return true
		}
		for i, value := range spec.Values {
			if literal, ok := value.(*ast.BasicLit); ok && literal.Kind == token.STRING {
				values[spec.Names[i].Name], err = strconv.Unquote(literal.Value)
			}
		}
		return true
	})
	if err != nil {
		t.Fatalf("reading the constants of %s: %v", file, err)
	}
	return values
}
