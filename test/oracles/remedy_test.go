package oracles

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/controllers/nodeagent/cri"
	"github.com/registryhub/registryhub/controllers/nodeagent/runtime"
	"github.com/registryhub/registryhub/controllers/noderemedy"
	"github.com/registryhub/registryhub/hack/cluster/assets"
	"github.com/registryhub/registryhub/hack/cluster/plan"
)

// certsDirectory is what containerd is to read. Nothing is written to it.
const certsDirectory = "/etc/containerd/certs.d"

// runs is a runtime of a release, which is all that a remedy without a restart asks.
type runs struct{ release string }

func (r runs) Version(context.Context) (cri.Version, error) {
	return cri.Version{Runtime: "containerd", Version: r.release}, nil
}

func (runs) Ready(context.Context) error { return nil }

// ailing are configurations that read no hosts.toml file, by release: files below a folder, as in configurations. DEFAULT is
// what containerd's own `config default` prints.
var ailing = map[string]map[string]map[string]string{
	"1.6": {
		"nothing":                  {},
		"containerd's own default": {"config.toml": "DEFAULT"},
		"an empty file":            {"config.toml": "version = 2\n"},
		"the test cluster's":       {"config.toml": strings.Replace(string(plan.ContainerdConfig("1.6")), certsDirectory, "", 1)},
		"the plug-in in an import": {
			"config.toml":   "version = 2\nimports = ['conf.d/*.toml']\n[plugins.'io.containerd.grpc.v1.cri']\nmax_concurrent_downloads = 7\n",
			"conf.d/a.toml": "version = 2\n[plugins.'io.containerd.grpc.v1.cri']\nenable_selinux = true\n",
			"conf.d/b.toml": "version = 2\n[plugins.'io.containerd.internal.v1.opt']\npath = '/b'\n",
		},
	},
	"2.4": {
		"nothing":                  {},
		"containerd's own default": {"config.toml": "DEFAULT"},
		"an empty file":            {"config.toml": "version = 3\n"},
		"a file of version 2":      {"config.toml": "version = 2\n" + v1x + "config_path = '" + certsDirectory + ":/etc/docker/certs.d'\n[grpc]\naddress = '/a'\n"},
		"the test cluster's":       {"config.toml": strings.Replace(string(plan.ContainerdConfig("2.4")), certsDirectory, certsDirectory+":/etc/docker/certs.d", 1)},
		"a list, and something in its second folder": {
			"config.toml": "version = 3\nimports = ['conf.d/*.toml']\n" + v2x + "config_path = '" + certsDirectory + ":FOLDER/second'\n", "second/a.example/ca.crt": "x",
			"conf.d/10-gc.toml": "version = 3\n[plugins.'io.containerd.gc.v1.scheduler']\nstartup_delay = '7s'\n",
		},
	},
}

// A remedy has a real containerd read the certs directory, and changes nothing else of what that makes of its files. The files
// that were there are kept byte for byte.
func TestARemedyHasContainerdReadTheCertsDirectory(t *testing.T) {
	t.Parallel()
	store, err := assets.Find(t.Logf)
	if err != nil {
		t.Fatal(err)
	}
	for release, table := range ailing {
		programs, err := store.Containerd(t.Context(), release)
		if err != nil {
			t.Fatal(err)
		}
		for name, files := range table {
			t.Run(release+": "+name, func(t *testing.T) {
				t.Parallel()
				mend(t, noderemedy.Program{Path: filepath.Join(programs, "containerd")}, release, files)
			})
		}
	}
}

func mend(t *testing.T, program noderemedy.Program, release string, files map[string]string) {
	t.Helper()
	folder := t.TempDir()
	before := map[string]string{}
	for name, text := range files {
		if text == "DEFAULT" {
			text = strings.ReplaceAll(output(t, program.Path, "config", "default"), "/etc/containerd/conf.d", "FOLDER/conf.d")
		}
		before[name] = replaceFolder(text, folder)
		writeFile(t, filepath.Join(folder, name), before[name])
	}
	main := filepath.Join(folder, "config.toml")
	if len(files) > 0 {
		if was := dump(t, program, release, main); was.Reads(certsDirectory, parsed(t, release)) {
			t.Fatalf("it is not ailing: %+v", was)
		}
	}
	remedy := noderemedy.New(main, certsDirectory)
	remedy.Started, remedy.Runtime, remedy.Containerd = time.Now().Add(time.Hour), runs{release}, program
	if got := remedy.Run(t.Context()); got.Outcome != configv1alpha1.RemedyRestartPending {
		t.Fatalf("got %+v", got)
	}
	is := dump(t, program, release, main)
	if !is.Reads(certsDirectory, parsed(t, release)) {
		t.Errorf("after the remedy: %+v", is)
	}
	for name, text := range before {
		kept := readIf(t, filepath.Join(folder, name+".before-registryhub"))
		if now := readIf(t, filepath.Join(folder, name)); now != text && kept != text {
			t.Errorf("%s was changed and not kept (-was +kept):\n%s", name, cmp.Diff(text, kept))
		}
	}
	if left, err := filepath.Glob(filepath.Join(folder, "*-trial*")); err != nil || len(left) > 0 {
		t.Errorf("the trial is left: %q (%v)", left, err)
	}
}

func dump(t *testing.T, program noderemedy.Program, release, file string) runtime.Config {
	t.Helper()
	text, err := program.Dump(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	config, err := runtime.ReadDump(text, parsed(t, release))
	if err != nil {
		t.Fatal(err)
	}
	return config
}

func parsed(t *testing.T, release string) runtime.Release {
	t.Helper()
	r, err := runtime.ParseRelease(release)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func output(t *testing.T, program string, arguments ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), program, arguments...).Output()
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func readIf(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return string(text)
}
