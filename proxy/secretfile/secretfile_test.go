package secretfile

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const secret = "hunter2"

func TestWhatCannotBeReadNamesTheFileAndNothingOfIt(t *testing.T) {
	folder := t.TempDir()
	cases := map[string]struct {
		path    string
		content string
		want    string
	}{
		"a file that is not there":     {filepath.Join(folder, "absent"), "", "is not there"},
		"a folder":                     {folder, "", "cannot be read"},
		"a path through a file":        {filepath.Join(folder, "file", "x"), "", "cannot be read"},
		"a file larger than a Secret":  {filepath.Join(folder, "large"), secret + strings.Repeat("x", maxFile), "larger than 1048576 bytes"},
		"a file of exactly a Secret's": {filepath.Join(folder, "full"), strings.Repeat("x", maxFile), ""},
	}
	if err := os.WriteFile(filepath.Join(folder, "file"), []byte(secret), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if tc.content != "" {
				if err := os.WriteFile(tc.path, []byte(tc.content), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			content, err := Read(tc.path)
			if tc.want == "" {
				if err != nil || string(content) != tc.content {
					t.Fatalf("got %d bytes, error %v", len(content), err)
				}
				return
			}
			problem, ok := errors.AsType[*Error](err)
			if !ok || problem.File != tc.path || !strings.Contains(problem.Problem, tc.want) || strings.Contains(err.Error(), secret) {
				t.Errorf("error %v, want one of %s that says %q", err, tc.path, tc.want)
			}
		})
	}
}

func TestVersionsOfFilesAreToldApart(t *testing.T) {
	change := map[string]struct {
		do   func(path string) error
		same bool
	}{
		"nothing":                     {func(string) error { return nil }, true},
		"another file in its place":   {func(p string) error { return replaced(p, "one") }, false},
		"written over":                {func(p string) error { return os.WriteFile(p, []byte("longer"), 0o600) }, false},
		"written over, of one length": {func(p string) error { return os.Chtimes(p, time.Time{}, time.Unix(1, 0)) }, false},
		"removed":                     {os.Remove, false},
	}
	for name, tc := range change {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "file")
			if err := os.WriteFile(path, []byte("one"), 0o600); err != nil {
				t.Fatal(err)
			}
			before := Look("", path, path+".absent")
			if err := tc.do(path); err != nil {
				t.Fatal(err)
			}
			if got := Look("", path, path+".absent").Same(before); got != tc.same {
				t.Errorf("the same: %t, want %t", got, tc.same)
			}
		})
	}
}

func replaced(path, content string) error {
	return errors.Join(os.WriteFile(path+".new", []byte(content), 0o600), os.Rename(path+".new", path))
}
