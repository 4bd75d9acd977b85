package runtime

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
)

var (
	early = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	late  = early.Add(time.Hour)
)

const main = "/etc/containerd/config.toml"

func host(files map[string]string) fstest.MapFS {
	all := fstest.MapFS{}
	for name, text := range files {
		all[strings.TrimPrefix(name, "/")] = &fstest.MapFile{Data: []byte(text), ModTime: early}
	}
	return all
}

// That the files are read as containerd reads them is held by test/oracles, with containerd itself as judge.
func TestReadKnowsTheDefaultsOfEachRelease(t *testing.T) {
	t.Parallel()
	const list = "/etc/containerd/certs.d:/etc/docker/certs.d"
	mirrors := "version = 2\n[plugins.'io.containerd.grpc.v1.cri'.registry.mirrors.'docker.io']\nendpoint = ['https://a.example']\n"
	cases := map[string]struct {
		release Release
		files   map[string]string
		want    Config
	}{
		"1.6 without a file":  {Release{1, 6}, nil, Config{SandboxImage: defaultSandbox, LocalPull: true}},
		"2.0 without a file":  {Release{2, 0}, nil, Config{SandboxImage: defaultSandbox, LocalPull: true}},
		"2.1 without a file":  {Release{2, 1}, nil, Config{SandboxImage: defaultSandbox}},
		"2.2 without a file":  {Release{2, 2}, nil, Config{SandboxImage: defaultSandbox, ConfigPath: list}},
		"2.4 without a path":  {Release{2, 4}, map[string]string{main: "version = 3\n"}, Config{SandboxImage: defaultSandbox, ConfigPath: list, Files: []string{main}, Changed: early}},
		"2.4 with mirrors":    {Release{2, 4}, map[string]string{main: mirrors}, Config{SandboxImage: defaultSandbox, Mirrors: true, LocalPull: true, Files: []string{main}, Changed: early, Holder: main}},
		"the second file":     {Release{2, 0}, map[string]string{"/b.toml": "version = 3\n"}, Config{SandboxImage: defaultSandbox, LocalPull: true, Files: []string{"/b.toml"}, Changed: early}},
		"the first file only": {Release{2, 0}, map[string]string{main: "", "/b.toml": ""}, Config{SandboxImage: defaultSandbox, LocalPull: true, Files: []string{main}, Changed: early}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := Read(host(tc.files), []string{main, "/b.toml"}, tc.release)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("the configuration (-want +got):\n%s", diff)
			}
		})
	}
}

func TestReadTellsWhenTheLatestFileWasWritten(t *testing.T) {
	t.Parallel()
	files := host(map[string]string{main: "imports = ['conf.d/*.toml']\n", "/etc/containerd/conf.d/a.toml": "", "/etc/containerd/conf.d/b.toml": ""})
	files["etc/containerd/conf.d/a.toml"].ModTime = late
	got, err := Read(files, []string{main}, Release{2, 4})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{main, "/etc/containerd/conf.d/a.toml", "/etc/containerd/conf.d/b.toml"}
	if diff := cmp.Diff(want, got.Files); diff != "" || !got.Changed.Equal(late) {
		t.Errorf("changed at %s, want %s; files (-want +got):\n%s", got.Changed, late, diff)
	}
}

func TestReads(t *testing.T) {
	t.Parallel()
	const certs, list = "/a", "/b:/a"
	cases := map[string]struct {
		release Release
		config  Config
		want    bool
	}{
		"the folder alone":                        {Release{2, 4}, Config{ConfigPath: certs}, true},
		"a list, for the transfer service":        {Release{2, 4}, Config{ConfigPath: list}, false},
		"a list, for the plug-in itself":          {Release{2, 4}, Config{ConfigPath: list, LocalPull: true}, true},
		"another folder":                          {Release{1, 7}, Config{ConfigPath: "/b", LocalPull: true}, false},
		"nothing":                                 {Release{1, 7}, Config{LocalPull: true}, false},
		"the folder beside mirrors":               {Release{2, 4}, Config{ConfigPath: certs, Mirrors: true, LocalPull: true}, false},
		"the folder beside TLS settings of old":   {Release{1, 7}, Config{ConfigPath: certs, ClientTLS: true, LocalPull: true}, false},
		"the same in 2.x, which does not know it": {Release{2, 0}, Config{ConfigPath: certs, ClientTLS: true, LocalPull: true}, true},
	}
	for name, tc := range cases {
		if got := tc.config.Reads(certs, tc.release); got != tc.want {
			t.Errorf("%s: got %t", name, got)
		}
	}
}

func TestReadTellsOfImportsAndOfWhoHoldsThePlugin(t *testing.T) {
	t.Parallel()
	files := map[string]string{
		main:                            "imports = ['x.toml', 'conf.d/*.toml']\n[plugins.'io.containerd.grpc.v1.cri']\na = 1\n",
		"/etc/containerd/x.toml":        "imports = ['/y/*']\n[plugins.'io.containerd.grpc.v1.cri'.registry.configs.'a'.tls]\nca_file = 'b'\n",
		"/etc/containerd/conf.d/a.toml": "",
	}
	got, err := Read(host(files), []string{main}, Release{1, 7})
	want := Config{
		Files: []string{main, "/etc/containerd/x.toml", "/etc/containerd/conf.d/a.toml"}, Changed: early, LocalPull: true, ClientTLS: true, SandboxImage: defaultSandbox,
		Holder: "/etc/containerd/x.toml", Imports: []Import{{main, "/etc/containerd/conf.d/*.toml"}, {"/etc/containerd/x.toml", "/y/*"}},
	}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

func TestReadRefuses(t *testing.T) {
	t.Parallel()
	many := map[string]string{main: "imports = ['/many/*.toml']\n"}
	for i := range maxFiles {
		many[fmt.Sprintf("/many/%d.toml", i)] = ""
	}
	cases := map[string]struct {
		files map[string]string
		want  string
	}{
		"a file that is no TOML":          {map[string]string{main: "version = 2\n["}, main + ": line 2, column "},
		"an import that is missing":       {map[string]string{main: "imports = ['/x.toml']\n"}, "x.toml"},
		"an import that is no TOML":       {map[string]string{main: "imports = ['/x.toml']\n", "/x.toml": "="}, "/x.toml: line 1"},
		"a pattern that is none":          {map[string]string{main: "imports = ['/[*']\n"}, `imports "/[*"`},
		"a file that is too large":        {map[string]string{main: strings.Repeat("#\n", maxFile)}, "more than 1048576"},
		"more imports than anybody needs": {many, "more than 256 files"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := Read(host(tc.files), []string{main}, Release{2, 4})
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %+v and error %v, want one with %q", got, err, tc.want)
			}
		})
	}
}

func TestParseRelease(t *testing.T) {
	t.Parallel()
	for version, want := range map[string]Release{
		"v2.4.2": {2, 4}, "1.6.20~ds1": {1, 6}, "v2.1.5-k3s1": {2, 1}, "v2.3.0-beta.1+unknown": {2, 3}, "1.7": {1, 7},
	} {
		if got, err := ParseRelease(version); err != nil || got != want {
			t.Errorf("%s: got %s, %v; want %s", version, got, err, want)
		}
	}
	for _, version := range []string{"", "unknown", "v2", "v-1.2", "2.x"} {
		if got, err := ParseRelease(version); err == nil {
			t.Errorf("%q: got %s, want an error", version, got)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add("version = 2\nimports = ['*.toml']\n[plugins.'io.containerd.grpc.v1.cri'.registry]\nconfig_path = '/a'\n", 1)
	f.Add("version = 3\n[plugins.'io.containerd.cri.v1.images'.registry.mirrors]\n", 2)
	f.Add("[plugins.cri]\nregistry = 3\n[plugins.'io.containerd.grpc.v1.cri']\n", 2)
	f.Fuzz(func(t *testing.T, text string, major int) {
		release := Release{Major: major, Minor: 4}
		got, err := Read(host(map[string]string{main: text, "/etc/containerd/x.toml": text}), []string{main}, release)
		again, errAgain := Read(host(map[string]string{main: text, "/etc/containerd/x.toml": text}), []string{main}, release)
		if diff := cmp.Diff(got, again); diff != "" || (err == nil) != (errAgain == nil) {
			t.Errorf("two readings differ: %s", diff)
		}
		if err == nil && got.Mirrors && !got.LocalPull {
			t.Error("mirrors keep the transfer service away")
		}
	})
}
