package faults

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// matrixFile is the table for people.
var matrixFile = filepath.Join(root, "docs", "faults.md")

const matrixHead = `# What is seen of an upstream's faults

Made by ` + "`go test ./faults -run TestTheMatrixIsDocumented -update`" + ` in ` + "`test/`" + ` from the table that ` + "`make test-faults`" + ` holds the
proxy to: the real program, in front of an upstream that fails so, with real clients behind it.

- **One upstream**, **two upstreams**: what a client sees that knows the hub alone and tries each thing once, of an image
  that is not cached; the first upstream fails so. *ok* is the whole image with the right bytes; a number is the status that
  ends the pull; *cut* is a transfer that ends before its Content-Length, with a clean close.
- **Cached, expired**: the same of a cached image whose tag has to be revalidated, with one upstream. What is cached with a
  fresh tag is right under every fault, and no upstream is asked.
- **Node**: what a pull comes to by containerd 1.6 and 2.4 and by the code of 1.7 and 2.4, whose hosts.toml leads to the hub
  and then to the upstream itself: *hub* needed the hub alone, *upstream* went on there, each with the right bytes; *fails*
  kept nothing. With parallel ranges (concurrent_layer_fetch_buffer) *upstream* may be *fails*: containerd then turns to no
  other host within a blob.

Where two outcomes stand together, what is seen depends on what comes first. After every fault a pull by the hub is right
within seconds, within half a minute where a transfer still hangs, and every object in the store has the bytes of its digest.

| the first upstream's fault | one upstream | two upstreams | cached, expired | node, one upstream | node, two upstreams |
|---|---|---|---|---|---|
`

// TestTheMatrixIsDocumented holds docs/faults.md to the table.
func TestTheMatrixIsDocumented(t *testing.T) {
	want := rendered()
	if *update {
		must(t, os.WriteFile(matrixFile, []byte(want), 0o644))
	}
	got, err := os.ReadFile(matrixFile)
	must(t, err)
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("%s is not of the table: write it with -update (-want +got):\n%s", matrixFile, diff)
	}
}

func rendered() string {
	var text strings.Builder
	text.WriteString(matrixHead)
	for _, r := range table() {
		cells := []string{
			r.name, best(r.want.one, right), best(r.want.two, right), best(r.want.expired, right),
			best(r.want.nodeOne, byHub), best(r.want.nodeTwo, byHub),
		}
		for i := range cells {
			cells[i] = strings.ReplaceAll(strings.ReplaceAll(cells[i], or, " or "), "<html>sign in</html>", "a web page")
		}
		fmt.Fprintf(&text, "| %s |\n", strings.Join(cells, " | "))
	}
	return text.String()
}

func best(wanted, otherwise string) string {
	if wanted == "" {
		return otherwise
	}
	return wanted
}
