package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func TestRunPrintsTagAndDigest(t *testing.T) {
	dir := t.TempDir()
	binary := filepath.Join(dir, "binary")
	if err := os.WriteFile(binary, []byte("program"), 0o600); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := run([]string{"--binary", binary, "--tag", "registryhub:dev", "--output", filepath.Join(dir, "image.tar")}, &out); err != nil {
		t.Fatal(err)
	}
	if want := regexp.MustCompile(`^registryhub:dev sha256:[0-9a-f]{64}\n$`); !want.MatchString(out.String()) {
		t.Errorf("printed %q, want %s", out.String(), want)
	}
}

func TestRunNeedsABinary(t *testing.T) {
	err := run(nil, &bytes.Buffer{})
	if err == nil || !strings.Contains(err.Error(), "pass --binary") {
		t.Errorf("error is %v, want one that says to pass --binary", err)
	}
}
