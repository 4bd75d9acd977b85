// Package architecture holds what the folders promise: which package may import which, and that the documents
// speak of things that exist.
package architecture

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"path"
	"strings"
	"testing"
)

const module = "github.com/registryhub/registryhub"

// root is the product's module, seen from this package.
const root = "../.."

// arrows says, for the packages below a folder, which of the project's own folders they may import. The first
// prefix that matches counts. A package may always import what lies below itself.
var arrows = []struct {
	from string
	to   []string
}{
	{"api/config", nil},
	{"api/v1alpha1", nil},
	{"proxy/distspec", []string{"api/config"}},
	{"proxy/rules", []string{"api/config", "proxy/distspec"}},
	{"proxy/heapfloor", nil},
	{"proxy/secretfile", nil},
	{"proxy/servingcert", []string{"api/config", "proxy/configfile", "proxy/distspec", "proxy/metrics", "proxy/secretfile"}},
	{"proxy/upstream", []string{"api/config", "proxy/distspec", "proxy/secretfile"}},
	{"proxy/metrics", nil},
	{"proxy/configfile", nil},
	{"proxy/store/storetest", []string{"proxy/store"}},
	{"proxy/store/fsstore", []string{"proxy/store"}},
	{"proxy/store/recent", []string{"proxy/store"}},
	{"proxy/store/described", []string{"proxy/store"}},
	{"proxy/store/s3store", []string{"proxy/secretfile", "proxy/store"}},
	{"proxy/store", nil},
	{"proxy/evict/sweep", []string{"proxy/evict", "proxy/metrics", "proxy/store"}},
	{"proxy/evict/forget", []string{"proxy/metrics", "proxy/store"}},
	{"proxy/evict", []string{"proxy/store"}},
	{"proxy/census", []string{"proxy/store"}},
	{"proxy/scrub", []string{"proxy/metrics", "proxy/store"}},
	{"proxy/writable", []string{"proxy/metrics", "proxy/store"}},
	{"proxy/answer", []string{"proxy/distspec", "proxy/store"}},
	{"proxy/local/collect", []string{"proxy/answer", "proxy/distspec", "proxy/metrics", "proxy/store"}},
	{"proxy/local/ticket", nil},
	{"proxy/canary", []string{"api/config", "proxy/answer", "proxy/distspec", "proxy/metrics"}},
	{"proxy/local", []string{"proxy/access", "proxy/answer", "proxy/canary", "proxy/distspec", "proxy/metrics", "proxy/store"}},
	{"proxy/access/kube", []string{"proxy/access", "proxy/distspec", "proxy/metrics"}},
	{"proxy/access", []string{"api/config", "proxy/distspec"}},
	{"proxy/pullthrough", []string{"api/config", "proxy/answer", "proxy/canary", "proxy/distspec", "proxy/rules", "proxy/upstream", "proxy/metrics", "proxy/store"}},
	{"proxy/prewarm", []string{"api/config", "proxy/distspec", "proxy/pullthrough"}},
	{"proxy", []string{"api/config", "proxy"}},
	{"controllers/internal/pki", nil},
	{"controllers/internal", []string{"api", "controllers/internal"}},
	{"controllers/resources", []string{"api"}},
	{"controllers/nodeagent/hoststoml", nil},
	{"controllers/nodeagent/certsd", nil},
	{"controllers/nodeagent/probe", nil},
	{"controllers/nodeagent/tlsfiles", nil},
	{"controllers/nodeagent/runtime", nil},
	{"controllers/nodeagent/cri", nil},
	{"controllers/nodeagent/metrics", nil},
	{"controllers/nodeagent/proof", []string{"api/config"}},
	{"controllers/nodeagent/doctor", []string{"api/v1alpha1", "controllers/nodeagent/runtime"}},
	{"controllers/nodeagent", []string{"api", "controllers/internal", "controllers/nodeagent"}},
	{"controllers/noderemedy/mend", []string{"controllers/nodeagent/runtime"}},
	{"controllers/noderemedy", []string{"api/config", "controllers/nodeagent/cri", "controllers/nodeagent/runtime"}},
	{"controllers/metrics", []string{"api/v1alpha1"}},
	{"controllers/nodes", []string{"api", "controllers/internal", "controllers/resources"}},
	{"controllers/certificates", []string{"api", "controllers/internal", "controllers/metrics", "controllers/resources", "controllers/nodes"}},
	{"controllers/remedies", []string{"api", "controllers/resources", "controllers/nodes"}},
	{"controllers/proxies", []string{"api", "controllers/resources"}},
	{"controllers/registryhub", []string{"api", "controllers/internal", "controllers/resources", "controllers/nodes", "controllers/proxies"}},
	{"controllers", []string{"api", "controllers"}},
	{"cmd/registryhub", []string{"api", "controllers", "proxy"}},
	{"hack/metrics", []string{"controllers/metrics", "controllers/nodeagent/metrics", "proxy/metrics"}},
	{"hack", []string{"hack", "api"}},
}

// pure packages decide from values alone: time comes in as a value, and nothing is read, written or logged.
var pure = []string{
	"proxy/distspec", "proxy/local/ticket", "proxy/rules", "proxy/evict", "controllers/resources", "controllers/nodeagent/hoststoml",
	"controllers/nodeagent/doctor", "controllers/internal/pki",
}

// loops lie below the pure package whose decisions they apply, and are not pure.
var loops = []string{"proxy/evict/sweep", "proxy/evict/forget"}

var impure = []string{"os", "os/exec", "io/ioutil", "syscall", "log", "log/slog", "net/http/httptest"}

var impurePrefixes = []string{
	"github.com/go-logr/logr", "k8s.io/client-go/kubernetes", "k8s.io/client-go/rest",
	"sigs.k8s.io/controller-runtime", "golang.org/x/sys",
}

type listed struct {
	ImportPath string
	Dir        string
	GoFiles    []string
	Imports    []string
}

func TestArrowsPointDown(t *testing.T) {
	t.Parallel()
	for _, pkg := range packages(t) {
		from := folder(pkg.ImportPath)
		rule, found := ruleFor(from)
		if !found {
			t.Errorf("%s: no rule in arrows says what it may import: add one", from)
			continue
		}
		for _, imported := range pkg.Imports {
			to := folder(imported)
			if to != "" && !below(to, from) && !anyBelow(to, rule) {
				t.Errorf("%s imports %s: the arrow is not among %q", from, to, rule)
			}
		}
	}
}

func TestTheAPIImportsNothingHeavy(t *testing.T) {
	t.Parallel()
	for _, pkg := range packages(t) {
		if !below(folder(pkg.ImportPath), "api") {
			continue
		}
		for _, imported := range pkg.Imports {
			standard := !strings.Contains(strings.SplitN(imported, "/", 2)[0], ".")
			apimachinery := strings.HasPrefix(imported, "k8s.io/apimachinery/")
			if !standard && !apimachinery && imported != "k8s.io/api/core/v1" && folder(imported) == "" {
				t.Errorf("%s imports %s: api has the standard library, apimachinery and k8s.io/api/core/v1 alone", pkg.ImportPath, imported)
			}
		}
	}
}

func TestPurePackagesStayPure(t *testing.T) {
	t.Parallel()
	for _, pkg := range packages(t) {
		if !anyBelow(folder(pkg.ImportPath), pure) || anyBelow(folder(pkg.ImportPath), loops) {
			continue
		}
		for _, imported := range pkg.Imports {
			if isImpure(imported) {
				t.Errorf("%s is pure and imports %s", pkg.ImportPath, imported)
			}
		}
		for _, file := range pkg.GoFiles {
			for _, call := range clockCalls(t, path.Join(pkg.Dir, file)) {
				t.Errorf("%s: %s is pure and reads the clock", call, pkg.ImportPath)
			}
		}
	}
}

func TestNoPackageIsACupboard(t *testing.T) {
	t.Parallel()
	for _, pkg := range packages(t) {
		switch name := path.Base(pkg.ImportPath); name {
		case "util", "utils", "common", "helpers", "misc", "shared":
			t.Errorf("%s: a package named %s says nothing of what is in it", pkg.ImportPath, name)
		}
	}
}

func packages(t *testing.T) []listed {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Dir,GoFiles,Imports", "./...")
	cmd.Dir = root
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("listing the packages: %v\n%s", err, stderr.String())
	}
	var all []listed
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		var pkg listed
		if err := decoder.Decode(&pkg); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatalf("reading the list of packages: %v", err)
		}
		all = append(all, pkg)
	}
}

// folder is the path of one of the project's packages inside the module, or "" for somebody else's.
func folder(importPath string) string {
	inside, found := strings.CutPrefix(importPath, module+"/")
	if !found {
		return ""
	}
	return inside
}

func ruleFor(from string) ([]string, bool) {
	for _, arrow := range arrows {
		if below(from, arrow.from) {
			return arrow.to, true
		}
	}
	return nil, false
}

func below(dir, ancestor string) bool { return dir == ancestor || strings.HasPrefix(dir, ancestor+"/") }

func anyBelow(dir string, ancestors []string) bool {
	for _, ancestor := range ancestors {
		if below(dir, ancestor) {
			return true
		}
	}
	return false
}

func isImpure(imported string) bool {
	for _, name := range impure {
		if imported == name {
			return true
		}
	}
	return anyBelow(imported, impurePrefixes)
}
