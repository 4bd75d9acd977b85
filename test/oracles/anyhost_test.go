package oracles

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/registryhub/registryhub/controllers/nodeagent/certsd"
)

func TestAHubForEveryOtherHostIsTriedForThem(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		take func(n node)
		// tried before the upstream: for docker.io, and for the other hosts.
		own, others []string
	}{
		"wired":                            {func(n node) { n.wire(hub, certsd.AnyHost) }, []string{hub}, []string{hub}},
		"a host with a hub of its own":     {func(n node) { n.wireApart(other, "docker.io") }, []string{other}, []string{hub}},
		"which is withdrawn":               {func(n node) { n.wireApart(other, "docker.io"); n.wire(hub, certsd.AnyHost) }, []string{hub}, []string{hub}},
		"it is withdrawn itself":           {func(n node) { n.wire(hub, certsd.AnyHost); n.wire(other, "docker.io") }, []string{other}, nil},
		"the node restored":                {func(n node) { n.wire(hub, certsd.AnyHost); n.restore() }, nil, nil},
		"after a reboot":                   {func(n node) { n.wireApart(other, "docker.io"); _ = os.RemoveAll(n.run) }, nil, nil},
		"somebody else's directory here":   {func(n node) { n.write("docker.io/hosts.toml", to(other, "")); n.wire(hub, certsd.AnyHost) }, []string{other}, []string{hub}},
		"somebody else's empty directory":  {func(n node) { n.mkdir("docker.io"); n.wire(hub, certsd.AnyHost) }, nil, []string{hub}},
		"somebody else's link to nothing":  {func(n node) { n.dangle("docker.io"); n.wire(hub, certsd.AnyHost) }, []string{hub}, []string{hub}},
		"a directory for all others there": {func(n node) { n.write("_default/hosts.toml", to(other, "")); n.wire(hub, certsd.AnyHost) }, []string{other}, []string{other}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onEach(t, func(n node) {
				tc.take(n)
				for host, upstream := range upstreams {
					mirrors := tc.others
					if host == "docker.io" {
						mirrors = tc.own
					}
					var want []string
					for _, mirror := range mirrors {
						want = append(want, mirror+"/v2")
					}
					n.mustTry(host, append(want, upstream)...)
				}
			})
		})
	}
}

// wireApart leads some hosts to a hub, and all others to another.
func (n node) wireApart(endpoint string, hosts ...string) {
	n.t.Helper()
	desired := n.filesOf(fileTo(endpoint), hosts...)
	maps.Copy(desired, n.filesOf(fileTo(hub), certsd.AnyHost))
	n.reconcile(desired)
}

func TestAPullOfAnyHostGoesThroughTheHubAndElseToTheUpstream(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		status            int
		byHub, byUpstream bool
	}{
		"the hub has it":                         {0, true, false},
		"the hub does not stand for the host":    {404, false, true},
		"the hub does not serve the repository":  {403, false, true},
		"the upstream does not answer the hub":   {503, false, true},
		"the hub asks who is there, like no hub": {401, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onEach(t, func(n node) {
				hub, upstream := newRegistry(n.t), newRegistry(n.t)
				hub.status = tc.status
				n.wire(hub.URL, certsd.AnyHost)
				n.mustPull(upstream)
				atHub, atUpstream := hub.asked(), upstream.asked()
				mustNameTheHost(n.t, atHub, upstream.host())
				if tc.byHub != (len(atUpstream) == 0) || tc.byUpstream != (len(atUpstream) > 0) || len(atHub) == 0 {
					n.t.Errorf("the hub was asked %q, the upstream %q", atHub, atUpstream)
				}
			})
		})
	}
}

// TestWhatHostsHaveInALaterRootStaysInForce: a registry that asks for a certificate which only a later root has, as
// /etc/docker/certs.d. (That of the registry itself is not looked at on loopback.)
func TestWhatHostsHaveInALaterRootStaysInForce(t *testing.T) {
	t.Parallel()
	authority := newAuthority(t)
	for name, tc := range map[string]struct {
		take  func(n node, elsewhere map[string]string)
		pulls bool
	}{
		"never wired":             {func(node, map[string]string) {}, true},
		"wired":                   {func(n node, elsewhere map[string]string) { n.wireBeside(elsewhere) }, true},
		"wired, and nothing kept": {func(n node, _ map[string]string) { n.wireBeside(nil) }, false},
		"after a reboot":          {func(n node, elsewhere map[string]string) { n.wireBeside(elsewhere); _ = os.RemoveAll(n.run) }, true},
		"after a reboot, and wired anew": {func(n node, elsewhere map[string]string) {
			n.wireBeside(elsewhere)
			_ = os.RemoveAll(n.run)
			n.wireBeside(elsewhere)
		}, true},
		"the hub withdrawn": {func(n node, elsewhere map[string]string) { n.wireBeside(elsewhere); n.wire(hub) }, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onEach(t, func(n node) {
				upstream := newTLSRegistry(n.t, authority, authority)
				n.later = n.t.TempDir()
				elsewhere := map[string]string{upstream.host(): filepath.Join(n.later, upstream.host())}
				certificate, key := authority.client()
				for name, content := range map[string][]byte{"ca.crt": authority.pem(), "node.cert": certificate, "node.key": key} {
					writeFile(n.t, filepath.Join(elsewhere[upstream.host()], name), string(content))
				}
				tc.take(n, elsewhere)
				if got := n.pulls(upstream); got != tc.pulls {
					n.t.Errorf("the pull succeeds: %v, want %v; it tries %v", got, tc.pulls, n.endpoints(upstream.host()))
				}
				if tc.pulls {
					n.mustTry(upstream.host(), "https://"+upstream.host()+"/v2")
				}
			})
		})
	}
}

// wireBeside leads all hosts to a hub at which nobody answers, but for those elsewhere.
func (n node) wireBeside(elsewhere map[string]string) {
	n.t.Helper()
	result, err := certsd.New(n.certs, n.run).Reconcile(certsd.Desired{Hosts: n.filesOf(fileTo(refusing(n.t)), certsd.AnyHost), Elsewhere: elsewhere})
	if err != nil || len(result.Failed) > 0 {
		n.t.Fatalf("%+v, %v", result, err)
	}
	if !slices.Contains(result.Written, certsd.AnyHost) {
		n.t.Fatalf("%+v: _default was not written", result)
	}
}

// pulls says whether a manifest can be resolved and fetched.
func (n node) pulls(upstream *registry) bool {
	n.t.Helper()
	ctx, cancel := context.WithCancel(n.t.Context())
	defer cancel()
	_, err := n.containerd.resolver(ctx, n.configPath()).resolve(ctx, upstream.host()+"/"+repository+":1")
	return err == nil
}
