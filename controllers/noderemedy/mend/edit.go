package mend

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// keyImports is the top-level list of what a file imports.
const keyImports = "imports"

// errNoEdit says that a file is written in a way that these edits do not know.
var errNoEdit = errors.New("it is written in a way that cannot be edited without writing it anew")

// place is where a key is in a file, or would be.
type place struct {
	// expression is all of `key = value`, value the value, where the key is there; end is where a line can be put in below
	// its table's header, where that is there. Otherwise -1.
	expression, value [2]int
	end               int
}

// find looks for a key, and for the header of its table.
func find(content []byte, path []string) (place, error) {
	found := place{expression: [2]int{-1, -1}, value: [2]int{-1, -1}, end: -1}
	parser := unstable.Parser{}
	parser.Reset(content)
	var table []string
	for parser.NextExpression() {
		switch e := parser.Expression(); e.Kind {
		case unstable.Table, unstable.ArrayTable:
			keys, last := keysOf(e)
			table = keys
			if e.Kind == unstable.Table && slices.Equal(table, path[:len(path)-1]) {
				found.end = endOfLine(content, int(last))
			}
		case unstable.KeyValue:
			keys, _ := keysOf(e)
			if slices.Equal(slices.Concat(table, keys), path) {
				found.expression, found.value = span(e.Raw), span(e.Value().Raw)
			}
		default: // a comment
		}
	}
	return found, parser.Error()
}

// keysOf is the dotted key of an expression, and where its last part ends.
func keysOf(e *unstable.Node) (keys []string, end uint32) {
	for parts := e.Key(); parts.Next(); {
		part := parts.Node()
		keys, end = append(keys, string(part.Data)), part.Raw.Offset+part.Raw.Length
	}
	return keys, end
}

func span(r unstable.Range) [2]int { return [2]int{int(r.Offset), int(r.Offset + r.Length)} }

// endOfLine is where the line after that of an offset begins.
func endOfLine(content []byte, from int) int {
	if i := bytes.IndexByte(content[from:], '\n'); i >= 0 {
		return from + i + 1
	}
	return len(content)
}

// withString is a file in which a key has a string for its value, and which is otherwise the same, byte for byte: the value
// is replaced, or a line put in below its table's header, or the table written at the end.
func withString(content []byte, path []string, value string) ([]byte, error) {
	at, err := find(content, path)
	if err != nil {
		return nil, err
	}
	table, key := path[:len(path)-1], path[len(path)-1]
	var edited []byte
	switch line := fmt.Sprintf("  %s = %s\n", key, strconv.Quote(value)); {
	case at.value[1] > 0:
		edited = slices.Concat(content[:at.value[0]], []byte(strconv.Quote(value)), content[at.value[1]:])
	case at.end >= 0:
		edited = slices.Concat(endedLine(content[:at.end]), []byte(line), content[at.end:])
	default:
		edited = slices.Concat(endedLine(content), []byte("\n["+header(table)+"]\n"+line))
	}
	return edited, changesOnly(content, edited, path, value)
}

// withImport is a file that imports one pattern or name more, behind those that it has.
func withImport(content []byte, pattern string) ([]byte, error) {
	at, err := find(content, []string{keyImports})
	if err != nil {
		return nil, err
	}
	before, err := importsOf(content)
	if err != nil {
		return nil, err
	}
	quoted := strconv.Quote(pattern)
	var edited []byte
	if at.expression[1] < 0 {
		edited = slices.Concat([]byte("imports = ["+quoted+"]\n"), content)
	} else {
		expression := content[at.expression[0]:at.expression[1]]
		bracket := at.expression[0] + bytes.LastIndexByte(expression, ']')
		if bracket < at.expression[0] {
			return nil, errNoEdit
		}
		head := bytes.TrimRight(content[:bracket], " \t\r\n")
		if len(before) > 0 && !bytes.HasSuffix(head, []byte(",")) {
			quoted = ", " + quoted
		}
		edited = slices.Concat(head, []byte(quoted), content[bracket:])
	}
	after := make([]any, 0, len(before)+1)
	return edited, changesOnly(content, edited, []string{keyImports}, append(append(after, before...), pattern))
}

func importsOf(content []byte) ([]any, error) {
	all, err := decode(content)
	if err != nil {
		return nil, err
	}
	imports, _ := all[keyImports].([]any)
	return imports, nil
}

// changesOnly holds that what an edit made says what the file said before, but for one key.
func changesOnly(before, after []byte, path []string, value any) error {
	want, err := decode(before)
	if err != nil {
		return err
	}
	got, err := decode(after)
	if err != nil || !set(want, path, value) || !reflect.DeepEqual(want, got) {
		return errNoEdit
	}
	return nil
}

func decode(content []byte) (map[string]any, error) {
	all := map[string]any{}
	if err := toml.Unmarshal(content, &all); err != nil {
		return nil, fmt.Errorf("reading it as TOML: %w", err)
	}
	return all, nil
}

// set sets a key below tables, which it makes where they are not there. A key that is no table is in its way.
func set(all map[string]any, path []string, value any) bool {
	for _, key := range path[:len(path)-1] {
		if all[key] == nil {
			all[key] = map[string]any{}
		}
		inner, isTable := all[key].(map[string]any)
		if !isTable {
			return false
		}
		all = inner
	}
	all[path[len(path)-1]] = value
	return true
}

func endedLine(content []byte) []byte {
	if len(content) == 0 || content[len(content)-1] == '\n' {
		return content
	}
	return append(bytes.Clone(content), '\n')
}

// header is a table's name as files of containerd have it.
func header(table []string) string {
	parts := make([]string, len(table))
	for i, part := range table {
		parts[i] = part
		if strings.Contains(part, ".") {
			parts[i] = strconv.Quote(part)
		}
	}
	return strings.Join(parts, ".")
}
