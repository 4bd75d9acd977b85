package architecture

import (
	"bufio"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

var (
	specificationRow = regexp.MustCompile(`^\| (\d+) \| (?:(?:MUST|SHOULD)(?: NOT)?(?:, )?)+ \|.*\| ([^|]*) \|$`)
	testFunction     = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`)
	testName         = regexp.MustCompile("^`((?:Test|Fuzz)\\w+)`$")
)

// Each requirement has a number and the tests that hold it, which exist.
func TestTheSpecificationIsHeldByTestsThatExist(t *testing.T) {
	t.Parallel()
	known := testFunctions(t)
	number := 0
	for lines := bufio.NewScanner(strings.NewReader(read(t, filepath.Join(root, "docs/specification.md")))); lines.Scan(); {
		line := lines.Text()
		if !strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "| |") {
			continue
		}
		number++
		row := specificationRow.FindStringSubmatch(line)
		if row == nil || row[1] != strconv.Itoa(number) {
			t.Fatalf("%q is not requirement %d with its tests", line, number)
		}
		for held := range strings.SplitSeq(row[2], ", ") {
			name := testName.FindStringSubmatch(held)
			if name == nil || !known[name[1]] {
				t.Errorf("requirement %d: there is no test %s", number, held)
			}
		}
	}
	if number == 0 {
		t.Error("there are no requirements")
	}
}

// testFunctions are the names of all tests of both modules.
func testFunctions(t *testing.T) map[string]bool {
	t.Helper()
	known := map[string]bool{}
	for _, folder := range []string{"proxy", "test"} {
		err := filepath.WalkDir(filepath.Join(root, folder), func(path string, _ os.DirEntry, err error) error {
			if err == nil && strings.HasSuffix(path, "_test.go") {
				for _, match := range testFunction.FindAllStringSubmatch(read(t, path), -1) {
					known[match[1]] = true
				}
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return known
}
