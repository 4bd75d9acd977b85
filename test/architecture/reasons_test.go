package architecture

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
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
