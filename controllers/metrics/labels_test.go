package metrics

import (
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestEveryConditionAndReasonOfTheAPIIsALabel(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		file, prefix string
		labels       []string
	}{
		"conditions of a hub": {"condition_types.go", "Condition", conditionTypes},
		"reasons of a node":   {"nodemirror_types.go", "NodeReason", nodeReasons},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want := constants(t, "../../api/v1alpha1/"+tc.file, tc.prefix)
			got := slices.Sorted(slices.Values(tc.labels))
			if diff := cmp.Diff(want, got); diff != "" || len(want) == 0 {
				t.Errorf("constants of the API and labels differ (-constants +labels):\n%s", diff)
			}
		})
	}
}

// constants are the values of a file's constants whose names begin so, sorted.
func constants(t *testing.T, file, prefix string) []string {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var values []string
	ast.Inspect(parsed, func(node ast.Node) bool {
		spec, ok := node.(*ast.ValueSpec)
		if !ok || !strings.HasPrefix(spec.Names[0].Name, prefix) {
			return true
		}
		value, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
		if err != nil {
			t.Fatal(err)
		}
		values = append(values, value)
		return true
	})
	slices.Sort(values)
	return values
}
