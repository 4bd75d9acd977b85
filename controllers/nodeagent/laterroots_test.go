package nodeagent

import (
	"errors"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/api/v1alpha1"
	"github.com/registryhub/registryhub/controllers/nodeagent/certsd"
	"github.com/registryhub/registryhub/controllers/nodeagent/proof"
)

const certsRoot = "/etc/containerd/certs.d"

// rootsOf is a node with a configuration of containerd, unless it is empty, and files.
func rootsOf(config string, files ...string) laterRoots {
	host := fstest.MapFS{"etc/docker/certs.d": {Mode: fs.ModeDir | 0o755}}
	if config != "" {
		host["etc/containerd/config.toml"] = &fstest.MapFile{Data: []byte(config)}
	}
	for _, file := range files {
		host[strings.TrimPrefix(file, "/")] = &fstest.MapFile{}
	}
	return laterRoots{host: host, certs: certsRoot, config: configv1alpha1.RuntimeLayoutOf(certsRoot).ConfigFiles}
}

// path1 and path2 are a config_path in the formats of containerd 1.x and 2.x.
func path1(roots string) string {
	return "version = 2\n[plugins.\"io.containerd.grpc.v1.cri\".registry]\nconfig_path = \"" + roots + "\"\n"
}

func path2(roots string) string {
	return "version = 3\n[plugins.\"io.containerd.cri.v1.images\".registry]\nconfig_path = \"" + roots + "\"\n"
}

func TestHostsOfLaterRoots(t *testing.T) {
	t.Parallel()
	const docker, corp = "/etc/docker/certs.d", "/etc/docker/certs.d/corp.example/ca.crt"
	theirs := map[string]string{"corp.example": docker + "/corp.example"}
	for name, tc := range map[string]struct {
		roots laterRoots
		want  map[string]string
	}{
		"a list, in the format of 1.x":            {rootsOf(path1(certsRoot+":"+docker), corp), theirs},
		"a list, in the format of 2.x":            {rootsOf(path2(certsRoot+":"+docker+"/"), corp), theirs},
		"the certs directory alone, 1.x":          {rootsOf(path1(certsRoot), corp), map[string]string{}},
		"the certs directory alone, 2.x":          {rootsOf(path2(certsRoot), corp), map[string]string{}},
		"the list the other way round":            {rootsOf(path2(docker+":"+certsRoot), corp), map[string]string{}},
		"directories that are not ours":           {rootsOf(path2("/etc/elsewhere:"+docker), corp), map[string]string{}},
		"no configuration, which 2.2 has a list":  {rootsOf("", corp), theirs},
		"no config_path, which 2.2 has a list":    {rootsOf("version = 3\n", corp), theirs},
		"a file beside the directories":           {rootsOf("", docker+"/README"), map[string]string{}},
		"an empty directory, which means nothing": {rootsOf(""), map[string]string{}},
		"a host with a port": {
			rootsOf("", docker+"/a.example:5000/ca.crt", docker+"/b.example_5000_/ca.crt", docker+"/[fd00::1]:5000/ca.crt"),
			map[string]string{"a.example:5000": docker + "/a.example:5000", "b.example:5000": docker + "/b.example_5000_", "[fd00::1]:5000": docker + "/[fd00::1]:5000"},
		},
		"a host in two spellings": {
			rootsOf("", docker+"/a.example:5000/ca.crt", docker+"/a.example_5000_/ca.crt"), map[string]string{"a.example:5000": docker + "/a.example_5000_"},
		},
		"a host in two roots": {
			rootsOf(path1(certsRoot+":/etc/own.d:"+docker), "/etc/own.d/corp.example/ca.crt", corp), map[string]string{"corp.example": "/etc/own.d/corp.example"},
		},
		"another node": {laterRoots{}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := tc.roots.hosts()
			if diff := cmp.Diff(tc.want, got); diff != "" || err != nil {
				t.Errorf("hosts (-want +got), %v:\n%s", err, diff)
			}
		})
	}
}

func TestWhenItIsNotKnownWhatWouldBeHidden(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		roots  laterRoots
		reason string
		want   string
	}{
		"a root that the agent does not have": {rootsOf(path2(certsRoot + ":/opt/certs.d")), v1alpha1.NodeReasonRuntimeUnknown, "/opt/certs.d"},
		"a configuration that is none":        {rootsOf("["), v1alpha1.NodeReasonRuntimeUnknown, "config.toml"},
		"a later root for every other host":   {rootsOf("", "/etc/docker/certs.d/_default/hosts.toml"), v1alpha1.NodeReasonForeignHostsFile, "/etc/docker/certs.d/_default"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := tc.roots.hosts()
			if err == nil || reasonOf(err) != tc.reason || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %s with %q", err, tc.reason, tc.want)
			}
		})
	}
	missing := rootsOf("")
	delete(missing.host.(fstest.MapFS), "etc/docker/certs.d") //nolint:forcetypeassert // it is what rootsOf makes
	if _, err := missing.hosts(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without the directory: %v", err)
	}
}

// anyHost is a hub for every other host, some of which it may stand for.
func anyHost(allowed ...string) configv1alpha1.NodeHub {
	h := hub("any", configv1alpha1.AnyHost)
	h.AllowedHosts = allowed
	return h
}

func TestAHubForEveryOtherHostIsWiredBesideWhatTheNodeHas(t *testing.T) {
	t.Parallel()
	b := newBench(t, configMap(t, configuration(5, hub("a", "own.example"), anyHost("corp.example", "theirs.example", "quay.io", "own.example"))), ownNode(nil), ownMirror())
	b.keeper.roots = rootsOf("", "/etc/docker/certs.d/corp.example/ca.crt", "/etc/docker/certs.d/unrelated.example/ca.crt")
	b.foreign("theirs.example", map[string]string{hostsFile: "theirs"})
	b.mustPass()
	if diff := cmp.Diff([]string{"_default", "corp.example", "own.example", "theirs.example", "unrelated.example"}, b.hosts()); diff != "" {
		t.Errorf("the certs directory (-want +got):\n%s", diff)
	}
	if got := b.file("_default"); !strings.Contains(got, `hub "any"`) || strings.Contains(got, "server") {
		t.Errorf("_default says\n%s", got)
	}
	mustExcept(t, b, "any corp.example ForeignHostsFile /etc/docker/certs.d/corp.example", "any theirs.example ForeignHostsFile "+b.certs+"/theirs.example")

	b.hubs.otherwise["a"] = deadSince(0, true)
	b.mustPass()
	if diff := cmp.Diff([]string{"_default", "corp.example", "theirs.example", "unrelated.example"}, b.hosts()); diff != "" {
		t.Errorf("with the other hub dead (-want +got):\n%s", diff)
	}
	b.hubs.otherwise["any"] = deadSince(0, true)
	b.mustPass()
	if diff := cmp.Diff([]string{"theirs.example"}, b.hosts()); diff != "" {
		t.Errorf("with both dead (-want +got):\n%s", diff)
	}
	mustExcept(t, b)
}

func TestAHubForEveryOtherHostIsNotWiredWhereItMightHideWhatIsThere(t *testing.T) {
	t.Parallel()
	b := newBench(t, configMap(t, configuration(5, hub("a", "own.example"), anyHost("quay.io"))), ownNode(nil), ownMirror())
	v := b.withCanaries()
	b.keeper.roots = rootsOf("")
	b.mustPass()
	b.keeper.roots = rootsOf("[")
	b.mustPass()
	if diff := cmp.Diff([]string{"own.example"}, b.hosts()); diff != "" {
		t.Errorf("the certs directory (-want +got):\n%s", diff)
	}
	mustExcept(t, b, "any * RuntimeUnknown not known which hosts")
	if len(v.targets) != 1 || v.targets[0].Host != "own.example" {
		t.Errorf("to be proven: %+v", v.targets)
	}
	b.keeper.roots = rootsOf("")
	b.mustPass()
	if len(v.targets) != 2 {
		t.Errorf("to be proven: %+v", v.targets)
	}
	v.outcomes[configv1alpha1.AnyHost] = proof.Outcome{Verdict: proof.Proven}
	b.mustPass()
	mustExcept(t, b)
}

// mustExcept holds what is reported, each as hub, host, reason and a part of the message.
func mustExcept(t *testing.T, b *bench, want ...string) {
	t.Helper()
	exceptions := b.status().Exceptions
	if len(exceptions) != len(want) {
		t.Errorf("exceptions %+v, want %q", exceptions, want)
		return
	}
	for i, line := range want {
		parts := strings.SplitN(line, " ", 4)
		got := exceptions[i]
		if diff := cmp.Diff(parts[:3], []string{got.Hub, got.Host, got.Reason}); diff != "" || !strings.Contains(got.Message, parts[3]) {
			t.Errorf("%+v, want %q", got, line)
		}
	}
}

func TestHostsOfOtherHubsAreTheirsToTellOf(t *testing.T) {
	t.Parallel()
	w := wire(defaulted(hubs(hub("a", "own.example"), anyHost("other.example", "own.example", "quay.io"))), nil, tlsPaths{}, syntax{})
	theirs := map[string]string{"own.example": "/x/own.example", "other.example": "/x/other.example", "docker.io": "/x/docker.io"}
	got := w.bypassing(w.files, theirs)
	if len(got) != 1 || got["other.example"] == nil {
		t.Errorf("got %v, want other.example alone", got)
	}
	if got := w.bypassing(map[string]certsd.Files{"own.example": {}}, theirs); len(got) > 0 {
		t.Errorf("while it is not in force: %v", got)
	}
}
