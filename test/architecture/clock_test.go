package architecture

import (
	"go/ast"
	"go/parser"
	"go/token"
	"testing"
)

// clockCalls are the places of a file that ask what time it is, or wait.
func clockCalls(t *testing.T, file string) []string {
	t.Helper()
	set := token.NewFileSet()
	parsed, err := parser.ParseFile(set, file, nil, 0)
	if err != nil {
		t.Fatalf("parsing %s: %v", file, err)
	}
	var calls []string
	ast.Inspect(parsed, func(node ast.Node) bool {
		if selector, ok := node.(*ast.SelectorExpr); ok && readsClock(selector) {
			calls = append(calls, set.Position(selector.Pos()).String())
		}
		return true
	})
	return calls
}

func readsClock(selector *ast.SelectorExpr) bool {
	pkg, ok := selector.X.(*ast.Ident)
	if !ok || pkg.Name != "time" {
		return false
	}
	switch selector.Sel.Name {
	case "Now", "Since", "Until", "After", "Sleep", "NewTimer", "NewTicker", "Tick", "AfterFunc":
		return true
	}
	return false
}
