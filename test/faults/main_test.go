package faults

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// patience is how long a test waits for what must happen.
const patience = time.Minute

var (
	update = flag.Bool("update", false, "write docs/faults.md")
	only   = flag.String("only", "", "try only the rows of the matrix whose name contains this")
	long   = flag.Bool("long", false, "also what takes minutes: every fault for every client, and more kills")
)

// root is the product's module, seen from this package.
const root = "../.."

// program is the built proxy.
var program string

func TestMain(m *testing.M) {
	flag.Parse()
	folder, err := os.MkdirTemp("", "registryhub-faults-")
	if err == nil {
		program = filepath.Join(folder, "registryhub")
		err = build(program)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		_ = os.RemoveAll(folder)
		os.Exit(code)
	}))
}

// build builds the program with the race detector, whose reports fail the tests: see process.check.
func build(target string) error {
	cmd := exec.CommandContext(context.Background(), "go", "build", "-race", "-o", target, "./cmd/registryhub")
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building the program: %w: %s", err, out)
	}
	return nil
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// await waits for a condition.
func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline, again := time.After(patience), time.NewTicker(2*time.Millisecond)
	defer again.Stop()
	for !ok() {
		select {
		case <-again.C:
		case <-deadline:
			t.Fatalf("waited %s in vain: %s", patience, what)
		}
	}
}
