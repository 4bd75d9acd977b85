package doctor_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/registryhub/registryhub/api/v1alpha1"
	"github.com/registryhub/registryhub/controllers/nodeagent/doctor"
	"github.com/registryhub/registryhub/controllers/nodeagent/runtime"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const certs = "/etc/containerd/certs.d"

var started = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// healthy is a node with nothing wrong.
func healthy(changes ...func(*doctor.Node)) doctor.Node {
	n := doctor.Node{
		CertsDirectory: certs, Runtime: "containerd", Version: "v2.4.2", Started: started,
		Config: runtime.Config{Files: []string{"/etc/containerd/config.toml"}, Changed: started.Add(-time.Hour), ConfigPath: certs},
	}
	for _, change := range changes {
		change(&n)
	}
	return n
}

func path(value string) func(*doctor.Node) {
	return func(n *doctor.Node) { n.Config.ConfigPath = value }
}

func locally(n *doctor.Node) { n.Config.LocalPull = true }
func mirrors(n *doctor.Node) { n.Config.Mirrors, n.Config.LocalPull = true, true }
func changed(n *doctor.Node) { n.Config.Changed = started.Add(time.Second) }
func foreign(n *doctor.Node) { n.Runtime = "cri-o" }
func old(n *doctor.Node)     { n.Version = "1.6.20~ds1" }
func unread(n *doctor.Node)  { n.Unknown = errors.New("the socket is gone") }
func withTLS(n *doctor.Node) { n.Config.ClientTLS = true }
func made(n *doctor.Node)    { n.Source = "config.toml.tmpl" }
func younger(n *doctor.Node) { n.Started = time.Time{} }

func TestExamine(t *testing.T) {
	t.Parallel()
	const list = certs + ":/etc/docker/certs.d"
	cases := map[string]struct {
		node doctor.Node
		want []string
		// says is in the first message.
		says string
	}{
		"a healthy node":                       {node: healthy()},
		"a list that the plug-in itself reads": {node: healthy(path(list), locally)},
		"a list for the transfer service":      {healthy(path(list)), []string{"TransferServiceMultiRoot!"}, `use_local_image_pull = true in the table [plugins."io.containerd.cri.v1.images"]`},
		"no path":                              {healthy(path("")), []string{"ConfigPathUnset!"}, `Set it to "/etc/containerd/certs.d" in /etc/containerd/config.toml, in the table [plugins."io.containerd.cri.v1.images".registry]`},
		"no path, in the words of 1.x":         {healthy(path(""), old), []string{"ConfigPathUnset!"}, `[plugins."io.containerd.grpc.v1.cri".registry]`},
		"no path, and TLS settings of old":     {healthy(path(""), old, withTLS), []string{"ConfigPathUnset!"}, "Put the TLS settings of registry.configs"},
		"no path, in files that are made":      {healthy(path(""), made), []string{"ConfigPathUnset!"}, "in config.toml.tmpl, in the table"},
		"another path":                         {healthy(path("/opt/certs.d")), []string{"ConfigPathUnset!"}, `config_path is "/opt/certs.d"`},
		"a list without the directory":         {healthy(path("/a:/b")), []string{"ConfigPathUnset!", "TransferServiceMultiRoot!"}, `"/a:/b"`},
		"mirrors":                              {healthy(path(""), mirrors), []string{"LegacyMirrorsPresent!"}, "Take them out of /etc/containerd/config.toml"},
		"a change since the start":             {healthy(changed), []string{"RestartPending"}, "Restart containerd"},
		"a fault that may be new":              {healthy(changed, path("")), []string{"ConfigPathUnset", "RestartPending"}, "config_path"},
		"a start that is not known":            {node: healthy(changed, younger)},
		"a runtime that is not containerd":     {healthy(foreign), []string{"RuntimeUnknown"}, `"cri-o"`},
		"nothing known":                        {healthy(unread, path("")), []string{"RuntimeUnknown"}, "the socket is gone"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got []string
			findings := doctor.Examine(tc.node)
			for _, finding := range findings {
				reason := finding.Reason
				if finding.Conclusive {
					reason += "!"
				}
				got = append(got, reason)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
			if len(findings) > 0 && !strings.Contains(findings[0].Message, tc.says) {
				t.Errorf("the message does not say %q:\n%s", tc.says, findings[0].Message)
			}
		})
	}
}

func TestMessagesFitIntoANodeMirror(t *testing.T) {
	t.Parallel()
	long := "/" + strings.Repeat("d", 100)
	node := healthy(path(long+":"+long), changed)
	node.CertsDirectory = long
	node.Config.Files = []string{long, long, long, long, long, long}
	for _, finding := range doctor.Examine(node) {
		if len(finding.Message) > 1024 {
			t.Errorf("%s: %d characters", finding.Reason, len(finding.Message))
		}
		if finding.Reason == v1alpha1.NodeReasonCanaryFailed {
			t.Error("that the canary failed is not the doctor's to find")
		}
	}
}
