package architecture

import (
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	link        = regexp.MustCompile(`\]\(([^)#\s]+)(?:#[^)]*)?\)`)
	inlineCode  = regexp.MustCompile("`([^`\n]+)`")
	fencedShell = regexp.MustCompile("(?s)```(?:sh|shell|console|bash)\n(.*?)```")
	makeTarget  = regexp.MustCompile(`(?m)^([a-z][-a-z0-9]*):`)
	flagName    = regexp.MustCompile(`--[a-z][-a-z0-9]*`)
)

// folders are the top-level names with which a path inside the repository begins.
var folders = []string{"api/", "cmd/", "controllers/", "config/", "proxy/", "hack/", "test/", "docs/", ".ci/"}

func TestDocumentsNamePathsThatExist(t *testing.T) {
	t.Parallel()
	for _, document := range documents(t) {
		text := read(t, document)
		for _, match := range link.FindAllStringSubmatch(inlineCode.ReplaceAllString(text, ""), -1) {
			if !strings.Contains(match[1], "://") {
				mustExist(t, document, filepath.Join(filepath.Dir(document), match[1]))
			}
		}
		for _, match := range inlineCode.FindAllStringSubmatch(text, -1) {
			if word := strings.TrimSuffix(match[1], "/"); isPath(word) {
				mustExist(t, document, filepath.Join(root, word))
			}
		}
	}
}

func TestDocumentsNameCommandsThatExist(t *testing.T) {
	t.Parallel()
	commands := knownCommands(t)
	for _, document := range documents(t) {
		for _, line := range commandLines(read(t, document)) {
			commands.check(t, document, line)
		}
	}
}

// commandSet is what the documents may tell people to run.
type commandSet struct {
	targets     map[string]bool
	help        func(t *testing.T, subcommand string) string
	clusterHelp string
}

func knownCommands(t *testing.T) commandSet {
	t.Helper()
	targets := map[string]bool{}
	for _, match := range makeTarget.FindAllStringSubmatch(read(t, filepath.Join(root, "Makefile")), -1) {
		targets[match[1]] = true
	}
	binary := filepath.Join(t.TempDir(), "registryhub")
	run(t, "go", "build", "-o", binary, "./cmd/registryhub")
	return commandSet{
		targets:     targets,
		help:        func(t *testing.T, subcommand string) string { t.Helper(); return run(t, binary, subcommand, "--help") },
		clusterHelp: run(t, "go", "run", "./hack/cluster", "help"),
	}
}

func (c commandSet) check(t *testing.T, document, line string) {
	t.Helper()
	words := strings.Fields(line)
	for i, word := range words {
		rest := words[i+1:]
		if len(rest) == 0 {
			continue
		}
		switch {
		case word == "make" && i == 0:
			c.checkTargets(t, document, rest)
		case word == "registryhub" || strings.HasSuffix(word, "/registryhub"):
			c.checkSubcommand(t, document, rest)
		case word == "./hack/cluster":
			if rest[0] != "help" && !strings.Contains(c.clusterHelp, "  "+rest[0]) {
				t.Errorf("%s: hack/cluster has no verb %q", document, rest[0])
			}
		case (word == "-k" || word == "-f") && isPath(rest[0]):
			mustExist(t, document, filepath.Join(root, rest[0]))
		}
	}
}

func (c commandSet) checkTargets(t *testing.T, document string, words []string) {
	t.Helper()
	for _, word := range words {
		if !regexp.MustCompile(`^[a-z][-a-z0-9]*$`).MatchString(word) {
			return
		}
		if !c.targets[word] {
			t.Errorf("%s: the Makefile has no target %q", document, word)
		}
	}
}

func (c commandSet) checkSubcommand(t *testing.T, document string, words []string) {
	t.Helper()
	switch words[0] {
	case "manager", "proxy", "node-agent", "version":
	default:
		return
	}
	help := c.help(t, words[0])
	for _, flag := range flagName.FindAllString(strings.Join(words, " "), -1) {
		if !strings.Contains(help, flag) {
			t.Errorf("%s: registryhub %s has no flag %s", document, words[0], flag)
		}
	}
}

// commandLines are the shell lines of a document, continued lines joined, and its inline code.
func commandLines(text string) []string {
	var lines []string
	for _, match := range fencedShell.FindAllStringSubmatch(text, -1) {
		joined := strings.ReplaceAll(match[1], "\\\n", " ")
		for line := range strings.SplitSeq(joined, "\n") {
			lines = append(lines, strings.TrimPrefix(strings.TrimSpace(line), "$ "))
		}
	}
	for _, match := range inlineCode.FindAllStringSubmatch(text, -1) {
		lines = append(lines, match[1])
	}
	return lines
}

func documents(t *testing.T) []string {
	t.Helper()
	var found []string
	for _, pattern := range []string{"*.md", "hack/*/*.md"} {
		matches, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, matches...)
	}
	err := filepath.WalkDir(filepath.Join(root, "docs"), func(file string, _ fs.DirEntry, err error) error {
		if strings.HasSuffix(file, ".md") {
			found = append(found, file)
		}
		return err
	})
	if err != nil {
		t.Fatalf("listing docs: %v", err)
	}
	if len(found) < 3 {
		t.Fatalf("found %d documents: the test looks in the wrong place", len(found))
	}
	return found
}

func isPath(word string) bool {
	if strings.ContainsAny(word, " <>*{}$…") {
		return false
	}
	for _, folder := range folders {
		if strings.HasPrefix(word, folder) {
			return true
		}
	}
	return false
}

func mustExist(t *testing.T, document, file string) {
	t.Helper()
	if _, err := os.Stat(file); err != nil {
		t.Errorf("%s names %s, which does not exist", document, file)
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = root
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, stderr.String())
	}
	return string(out)
}
