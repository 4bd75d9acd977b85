package report

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// Merge puts results in the place of earlier ones of the same names in a file, and returns all that the file then has. They are
// in the order of those names; what has none of them is dropped.
func Merge(file string, names []string, results []Result) ([]Result, error) {
	var all []Result
	content, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(content, &all)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("reading earlier results from %s: %w: delete the file", file, err)
	}
	all = ordered(names, append(all, results...))
	content, err = json.MarshalIndent(all, "", "  ")
	if err == nil {
		err = os.WriteFile(file, content, 0o644)
	}
	if err != nil {
		return nil, fmt.Errorf("keeping the results in %s: %w", file, err)
	}
	return all, nil
}

// ordered returns the last result of each name.
func ordered(names []string, results []Result) []Result {
	last := map[string]Result{}
	for _, result := range results {
		last[result.Name] = result
	}
	var all []Result
	for _, name := range names {
		if result, ok := last[name]; ok {
			all = append(all, result)
		}
	}
	return all
}
