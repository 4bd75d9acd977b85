package oracles

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/registryhub/registryhub/controllers/nodeagent/runtime"
	"github.com/registryhub/registryhub/hack/cluster/assets"
)

// v1x and v2x begin the tables of the releases.
const (
	v1x = `[plugins."io.containerd.grpc.v1.cri".registry]` + "\n"
	v2x = `[plugins."io.containerd.cri.v1.images".registry]` + "\n"
)

// configurations are files below a folder that the main one, config.toml, is in. FOLDER stands for its path.
var configurations = map[string]map[string]string{
	"nothing":                       {"config.toml": ""},
	"version 1":                     {"config.toml": "[plugins.cri.registry]\nconfig_path = '/a'\n"},
	"version 2":                     {"config.toml": "version = 2\n" + v1x + "config_path = '/a'\n"},
	"version 2 with a list":         {"config.toml": "version = 2\n" + v1x + "config_path = '/a:/b'\n"},
	"version 2 in the words of 2.x": {"config.toml": "version = 2\n" + v2x + "config_path = '/a'\n"},
	"version 2 with mirrors": {
		"config.toml": "version = 2\n[plugins.'io.containerd.grpc.v1.cri'.registry.mirrors.'docker.io']\nendpoint = ['https://a.example']\n",
	},
	"version 2 with options that forbid the transfer service": {
		"config.toml": "version = 2\n[plugins.'io.containerd.grpc.v1.cri']\nmax_concurrent_downloads = 5\n",
	},
	"version 2 with an option of the client": {
		"config.toml": "version = 2\n[plugins.'io.containerd.grpc.v1.cri'.containerd]\ndiscard_unpacked_layers = true\n" +
			"[plugins.'io.containerd.grpc.v1.cri'.containerd.runtimes.runc]\nruntime_type = 'io.containerd.runc.v2'\n",
	},
	"an import by name": {
		"config.toml": "version = 2\nimports = ['more/a.toml']\n" + v1x + "config_path = '/a'\n",
		"more/a.toml": "version = 2\n" + v1x + "config_path = '/b'\n",
	},
	"imports by a pattern, the last of which counts": {
		"config.toml":   "version = 2\nimports = ['conf.d/*.toml']\n" + v1x + "config_path = '/a'\n",
		"conf.d/1.toml": "version = 2\n" + v1x + "config_path = '/b'\n",
		"conf.d/2.toml": "version = 2\n" + v1x + "config_path = '/c'\n",
		"conf.d/3.txt":  "version = 2\n" + v1x + "config_path = '/d'\n",
	},
	"an import by an absolute name, of a file that imports on": {
		"config.toml": "version = 2\nimports = ['FOLDER/x/a.toml']\n",
		"x/a.toml":    "version = 2\nimports = ['b.toml']\n" + v1x + "config_path = '/a'\n",
		"x/b.toml":    "version = 2\nimports = ['../config.toml']\n" + v1x + "config_path = '/b'\n",
	},
	"a pattern that matches nothing": {"config.toml": "version = 2\nimports = ['no/*.toml']\n" + v1x + "config_path = '/a'\n"},
	"an import with another table of the plug-in": {
		"config.toml": "version = 2\nimports = ['a.toml']\n" + v1x + "config_path = '/a'\n",
		"a.toml":      "version = 2\n[plugins.'io.containerd.grpc.v1.cri']\nmax_concurrent_downloads = 5\n",
	},
	"a sandbox image": {"config.toml": "version = 2\n[plugins.'io.containerd.grpc.v1.cri']\nsandbox_image = 'a.example/pause:1'\n"},
	"a sandbox image of an import": {
		"config.toml": "version = 2\nimports = ['a.toml']\n[plugins.'io.containerd.grpc.v1.cri']\nsandbox_image = 'a.example/pause:1'\n",
		"a.toml":      "version = 2\n[plugins.'io.containerd.grpc.v1.cri']\nsandbox_image = 'b.example/pause:1'\n",
	},
	"an import that empties the path": {
		"config.toml": "version = 2\nimports = ['a.toml']\n" + v1x + "config_path = '/a'\n",
		"a.toml":      "version = 2\n" + v1x + "config_path = ''\n",
	},
}

// newer are configurations that containerd 1.x does not know.
var newer = map[string]map[string]string{
	"version 3":                            {"config.toml": "version = 3\n" + v2x + "config_path = '/a'\n"},
	"version 3 in the words of 1.x":        {"config.toml": "version = 3\n" + v1x + "config_path = '/a'\n"},
	"version 3 and both":                   {"config.toml": "version = 3\n" + v1x + "config_path = '/a'\n" + v2x + "config_path = '/b'\n"},
	"version 4":                            {"config.toml": "version = 4\n" + v2x + "config_path = '/a:/b'\n"},
	"version 4 in the words of 1.x":        {"config.toml": "version = 4\n" + v1x + "config_path = '/a'\n"},
	"a pinned sandbox":                     {"config.toml": "version = 3\n[plugins.'io.containerd.cri.v1.images'.pinned_images]\nsandbox = 'a.example/pause:1'\n"},
	"a pinned sandbox and another image":   {"config.toml": "version = 3\n[plugins.'io.containerd.cri.v1.images'.pinned_images]\nother = 'b.example/other:1'\n"},
	"a sandbox in the words of 1.x":        {"config.toml": "version = 3\n[plugins.'io.containerd.grpc.v1.cri']\nsandbox_image = 'a.example/pause:1'\n"},
	"an older import with a sandbox":       {"config.toml": "version = 3\nimports = ['a.toml']\n[plugins.'io.containerd.cri.v1.images'.pinned_images]\nsandbox = 'a.example/pause:1'\n", "a.toml": "version = 2\n[plugins.'io.containerd.grpc.v1.cri']\nsandbox_image = 'b.example/pause:1'\n"},
	"pulls by the plug-in itself":          {"config.toml": "version = 3\n[plugins.'io.containerd.cri.v1.images']\nuse_local_image_pull = true\n"},
	"snapshot annotations":                 {"config.toml": "version = 3\n[plugins.'io.containerd.cri.v1.images']\ndisable_snapshot_annotations = false\n"},
	"an import that says less":             {"config.toml": "version = 3\nimports = ['a.toml']\n[plugins.'io.containerd.cri.v1.images']\nuse_local_image_pull = true\n", "a.toml": "version = 3\n" + v2x + "config_path = '/a'\n"},
	"an import that takes back":            {"config.toml": "version = 3\nimports = ['a.toml']\n[plugins.'io.containerd.cri.v1.images']\nuse_local_image_pull = true\n", "a.toml": "version = 3\n[plugins.'io.containerd.cri.v1.images']\nuse_local_image_pull = false\n"},
	"an older import":                      {"config.toml": "version = 3\nimports = ['a.toml']\n" + v2x + "config_path = '/a'\n", "a.toml": "version = 2\n" + v1x + "config_path = '/b'\n"},
	"an older import with a legacy mirror": {"config.toml": "version = 3\nimports = ['a.toml']\n", "a.toml": "version = 2\n[plugins.'io.containerd.grpc.v1.cri'.registry.mirrors.'docker.io']\nendpoint = ['https://a.example']\n"},
}

// What containerd itself has made of its files, in one file without imports, has to read like them.
func TestConfigurationsAreReadAsContainerdReadsThem(t *testing.T) {
	t.Parallel()
	store, err := assets.Find(t.Logf)
	if err != nil {
		t.Fatal(err)
	}
	for release, tables := range map[string][]map[string]map[string]string{"1.6": {configurations}, "2.4": {configurations, newer}} {
		programs, err := store.Containerd(t.Context(), release)
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := runtime.ParseRelease(release)
		if err != nil {
			t.Fatal(err)
		}
		for _, table := range tables {
			for name, files := range table {
				t.Run(release+": "+name, func(t *testing.T) {
					t.Parallel()
					compareReadings(t, filepath.Join(programs, "containerd"), parsed, files)
				})
			}
		}
	}
}

func compareReadings(t *testing.T, containerd string, release runtime.Release, files map[string]string) {
	t.Helper()
	folder := t.TempDir()
	for name, text := range files {
		writeFile(t, filepath.Join(folder, name), replaceFolder(text, folder))
	}
	main := filepath.Join(folder, "config.toml")
	cmd := exec.CommandContext(t.Context(), containerd, "--config", main, "config", "dump")
	cmd.Dir = "/" // as systemd has it
	dump, err := cmd.Output()
	if err != nil {
		t.Fatalf("containerd does not take the configuration: %v", err)
	}
	dumped := filepath.Join(folder, "dump.toml")
	writeFile(t, dumped, withoutImports(string(dump)))
	want, got := readConfig(t, dumped, release), readConfig(t, main, release)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the files (-as containerd reads them +as we do):\n%s", diff)
	}
}

// readConfig is a configuration without what is of the files alone.
func readConfig(t *testing.T, file string, release runtime.Release) runtime.Config {
	t.Helper()
	config, err := runtime.Read(os.DirFS("/"), []string{file}, release)
	if err != nil {
		t.Fatal(err)
	}
	config.Files, config.Changed, config.Holder, config.Imports = nil, time.Time{}, "", nil
	if strings.HasPrefix(config.SandboxImage, "registry.k8s.io/pause:") {
		config.SandboxImage, _, _ = strings.Cut(config.SandboxImage, ":") // the tag of the default is another in each release
	}
	return config
}

func writeFile(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func replaceFolder(text, folder string) string { return strings.ReplaceAll(text, "FOLDER", folder) }

// withoutImports leaves the list of imports, which a dump repeats, out of it.
func withoutImports(dump string) string {
	return regexp.MustCompile(`(?m)^imports = .*$`).ReplaceAllString(dump, "")
}
