package mend_test

import (
	"errors"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/registryhub/registryhub/controllers/nodeagent/runtime"
	"github.com/registryhub/registryhub/controllers/noderemedy/mend"
)

const (
	main    = "/etc/containerd/config.toml"
	certs   = "/etc/containerd/certs.d"
	oldCRI  = `[plugins."io.containerd.grpc.v1.cri"]` + "\n"
	newCRI  = `[plugins."io.containerd.cri.v1.images"]` + "\n"
	old     = `[plugins."io.containerd.grpc.v1.cri".registry]` + "\n"
	images  = `[plugins."io.containerd.cri.v1.images".registry]` + "\n"
	list    = "config_path = '/etc/containerd/certs.d:/etc/docker/certs.d'\n"
	head    = "# Written by RegistryHub, so that containerd reads the hosts.toml files in /etc/containerd/certs.d.\n"
	path3   = head + "version = 3\n\n" + images + "  config_path = \"/etc/containerd/certs.d\"\n"
	local3  = head + "version = 3\n\n" + newCRI + "  use_local_image_pull = true\n"
	inOurs  = "/etc/containerd/registryhub.d/99-registryhub.toml"
	import1 = "imports = [\"/etc/containerd/registryhub.d/*.toml\"]\n"
)

func host(files map[string]string) fstest.MapFS {
	all := fstest.MapFS{}
	for name, text := range files {
		all[name[1:]] = &fstest.MapFile{Data: []byte(text)}
	}
	return all
}

func node(release runtime.Release, files map[string]string) mend.Node {
	return mend.Node{Host: host(files), Main: main, Release: release, CertsDirectory: certs}
}

func TestMake(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		release runtime.Release
		files   map[string]string
		// want are the changed files, in order.
		want [][2]string
	}{
		"2.4, on its defaults": {release: runtime.Release{Major: 2, Minor: 4}, want: [][2]string{{main, path3}}},
		"1.6, on its defaults": {
			release: runtime.Release{Major: 1, Minor: 6},
			want:    [][2]string{{main, head + "version = 2\n\n" + old + "  config_path = \"/etc/containerd/certs.d\"\n"}},
		},
		"2.4, a list in the file": {
			runtime.Release{Major: 2, Minor: 4}, map[string]string{main: "version = 3\n" + images + list},
			[][2]string{{inOurs, path3}, {main, import1 + "version = 3\n" + images + list}},
		},
		"2.4, a list with something in its second folder": {
			runtime.Release{Major: 2, Minor: 4}, map[string]string{main: "version = 3\n" + images + list, "/etc/docker/certs.d/a.example/ca.crt": "x"},
			[][2]string{{inOurs, local3}, {main, import1 + "version = 3\n" + images + list}},
		},
		"2.4, a folder that is imported": {
			runtime.Release{Major: 2, Minor: 4}, map[string]string{main: "imports = ['x.toml', 'conf.d/*.toml']\n", "/etc/containerd/x.toml": "imports = ['/other/*.toml']\n"},
			[][2]string{{"/etc/containerd/conf.d/99-registryhub.toml", path3}},
		},
		"2.1, a file that is imported by its name": {
			runtime.Release{Major: 2, Minor: 1}, map[string]string{main: "imports = ['x.toml']\n", "/etc/containerd/x.toml": ""},
			[][2]string{{inOurs, path3}, {main, "imports = ['x.toml', \"/etc/containerd/registryhub.d/*.toml\"]\n"}},
		},
		"1.7, an empty path in the main file": {
			runtime.Release{Major: 1, Minor: 7}, map[string]string{main: "version = 2\nimports = ['conf.d/*.toml']\n" + old + "config_path = ''\n"},
			[][2]string{{main, "version = 2\nimports = ['conf.d/*.toml']\n" + old + "config_path = \"/etc/containerd/certs.d\"\n"}},
		},
		"1.7, a table in an imported file": {
			runtime.Release{Major: 1, Minor: 7},
			map[string]string{main: "version = 2\nimports = ['x.toml']\n" + oldCRI + "a = 1\n", "/etc/containerd/x.toml": "version = 2\n" + oldCRI + "b = 2\n"},
			[][2]string{{"/etc/containerd/x.toml", "version = 2\n" + oldCRI + "b = 2\n\n" + old + "  config_path = \"/etc/containerd/certs.d\"\n"}},
		},
		"nothing to mend": {release: runtime.Release{Major: 2, Minor: 4}, files: map[string]string{main: "version = 3\n" + images + "config_path = '" + certs + "'\n"}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			plan, err := mend.Make(node(tc.release, tc.files))
			if err != nil {
				t.Fatal(err)
			}
			var got [][2]string
			for _, change := range plan.Changes {
				got = append(got, [2]string{change.Name, string(change.After)})
				if before, there := tc.files[change.Name]; there != (change.Before != nil) || before != string(change.Before) {
					t.Errorf("before %s is %q, want %q", change.Name, change.Before, before)
				}
			}
			if diff := cmp.Diff(tc.want, got); diff != "" || len(plan.Done) > 0 {
				t.Errorf("done %d; the changes (-want +got):\n%s", len(plan.Done), diff)
			}
		})
	}
}

func TestMakeDeclines(t *testing.T) {
	t.Parallel()
	one, two := runtime.Release{Major: 1, Minor: 7}, runtime.Release{Major: 2, Minor: 4}
	cases := map[string]struct {
		release runtime.Release
		files   map[string]string
		// links are files that are symbolic links.
		links []string
		says  string
	}{
		"mirrors":                      {two, map[string]string{main: "version = 2\n" + old[:len(old)-2] + ".mirrors.'a']\nendpoint = ['https://b']\n"}, nil, "registry.mirrors"},
		"TLS settings of old":          {one, map[string]string{main: "version = 2\n" + old[:len(old)-2] + ".configs.'a'.tls]\ninsecure_skip_verify = true\n"}, nil, "registry.configs"},
		"another path":                 {two, map[string]string{main: "version = 3\n" + images + "config_path = '/opt/certs.d'\n"}, nil, `"/opt/certs.d"`},
		"a link":                       {one, map[string]string{main: "version = 2\n"}, []string{main}, "no file but a link"},
		"a link to nothing":            {two, nil, []string{main}, "no file but a link"},
		"a pattern for all files":      {two, map[string]string{main: "imports = ['conf.d/*']\n"}, nil, "every file there"},
		"a drop-in of somebody else's": {two, map[string]string{main: "imports = ['conf.d/*.toml']\n", "/etc/containerd/conf.d/99-registryhub.toml": ""}, nil, "somebody else's"},
		"what cannot be edited":        {two, map[string]string{main: "imports = [ # none\n]\n"}, nil, "not edited"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := node(tc.release, tc.files)
			for _, link := range tc.links {
				if file, there := n.Host.(fstest.MapFS)[link[1:]]; there {
					n.Host.(fstest.MapFS)["real"] = file
				}
				n.Host.(fstest.MapFS)[link[1:]] = &fstest.MapFile{Data: []byte("../../real"), Mode: fs.ModeSymlink}
			}
			_, err := mend.Make(n)
			var declined *mend.DeclinedError
			if !errors.As(err, &declined) || !strings.Contains(declined.Message, tc.says) {
				t.Errorf("got %v, want that it is declined with %q", err, tc.says)
			}
		})
	}
}

// What a remedy did is found again, unless somebody has changed it since.
func TestMakeFindsWhatWasDone(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		release runtime.Release
		files   map[string]string
	}{
		"2.4, an import added": {runtime.Release{Major: 2, Minor: 4}, map[string]string{main: "version = 3\n" + images + list}},
		"2.4, on its defaults": {runtime.Release{Major: 2, Minor: 4}, map[string]string{}},
		"1.6, a file edited":   {runtime.Release{Major: 1, Minor: 6}, map[string]string{main: "version = 2\n"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			plan, err := mend.Make(node(tc.release, tc.files))
			if err != nil {
				t.Fatal(err)
			}
			for _, change := range plan.Changes {
				tc.files[change.Name] = string(change.After)
				if change.Before != nil {
					tc.files[change.Name+mend.BackupSuffix] = string(change.Before)
				}
			}
			again, err := mend.Make(node(tc.release, tc.files))
			if diff := cmp.Diff(mend.Plan{Done: plan.Changes}, again); diff != "" || err != nil {
				t.Errorf("%v (-want +got):\n%s", err, diff)
			}
			tc.files[main] += "# a person's\n"
			changed, err := mend.Make(node(tc.release, tc.files))
			for _, change := range changed.Done {
				if change.Before != nil || err != nil {
					t.Errorf("%v: what somebody has changed since would be put back: %s", err, change.Name)
				}
			}
		})
	}
}
