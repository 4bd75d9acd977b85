package pki

import (
	"flag"
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"
)

// TestMain lives through few lives unless the command line says how many: each is thousands of signatures.
func TestMain(m *testing.M) {
	if err := flag.Set("rapid.checks", "2"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m)
}
