package oracles

import (
	"context"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/registryhub/registryhub/controllers/nodeagent/certsd"
	"github.com/registryhub/registryhub/controllers/nodeagent/hoststoml"
	"github.com/registryhub/registryhub/controllers/nodeagent/tlsfiles"
)

// wireAlone leads these hosts to a hub and nowhere else, with the TLS files beside, where a reboot leaves them.
func (n node) wireAlone(endpoint string, material tlsfiles.Material, hosts ...string) {
	n.t.Helper()
	desired := map[string]certsd.Files{}
	for _, host := range hosts {
		mirror := hoststoml.Mirror{URL: endpoint, DialTimeout: time.Second}
		files := certsd.Files{}
		beside := func(name string, data []byte) string {
			if len(data) == 0 {
				return ""
			}
			files[name] = data
			return filepath.Join(certsd.New(n.certs, n.run).Path(host), name)
		}
		mirror.CA = beside("1-ca.pem", material.CA)
		mirror.ClientCertificate = beside("1-client.pem", material.Certificate)
		mirror.ClientKey = beside("1-client-key.pem", material.Key)
		data, err := hoststoml.Encode(hoststoml.File{Hub: "a-hub", Revision: 9, Server: endpoint, Mirrors: []hoststoml.Mirror{mirror}})
		if err != nil {
			n.t.Fatal(err)
		}
		files["hosts.toml"] = data
		desired[host] = files
	}
	result, err := certsd.New(n.certs, n.run).Reconcile(certsd.Desired{Hosts: desired, Lasting: hosts})
	if err != nil || len(result.Failed) > 0 {
		n.t.Fatalf("%+v, %v", result, err)
	}
}

// reboot empties the run directory.
func (n node) reboot() {
	n.t.Helper()
	if err := os.RemoveAll(n.run); err != nil {
		n.t.Fatal(err)
	}
}

func TestAHostWithoutFallbackTriesTheHubAlone(t *testing.T) {
	t.Parallel()
	onEach(t, func(n node) {
		all := slices.Collect(maps.Keys(upstreams))
		n.wireAlone(hub, tlsfiles.Material{}, all...)
		want := slices.Repeat([]endpoint{{URL: hub + "/v2", Pull: true, Resolve: true}}, 2)
		for range 2 {
			for _, host := range all {
				if diff := cmp.Diff(want, n.endpoints(host)); diff != "" {
					n.t.Errorf("%s (-want +got):\n%s", host, diff)
				}
			}
			n.reboot()
		}
		n.wire(hub, all...)
		for host, upstream := range upstreams {
			n.mustTry(host, hub+"/v2", upstream)
		}
		n.restore()
		for host, upstream := range upstreams {
			n.mustTry(host, upstream)
		}
	})
}

// TestAPullWithoutFallbackNeverReachesTheUpstream, whatever the hub does and whenever the node was booted.
func TestAPullWithoutFallbackNeverReachesTheUpstream(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	material := tlsfiles.Material{CA: ca.pem()}
	material.Certificate, material.Key = ca.client()
	for name, tc := range map[string]struct {
		spoil func(hub *registry)
		works bool
	}{
		"the hub serves":        {func(*registry) {}, true},
		"the hub is gone":       {func(hub *registry) { hub.Close() }, false},
		"the hub fails":         {func(hub *registry) { hub.status = http.StatusServiceUnavailable }, false},
		"the hub lacks it":      {func(hub *registry) { hub.status = http.StatusNotFound }, false},
		"the hub forbids it":    {func(hub *registry) { hub.status = http.StatusForbidden }, false},
		"the hub has a bad day": {func(hub *registry) { hub.failOnce = true }, true}, // the server is the hub once more
	} {
		for rebooted, over := range map[string]func(n node){"": func(node) {}, ", after a reboot": node.reboot} {
			t.Run(name+rebooted, func(t *testing.T) {
				t.Parallel()
				onEach(t, func(n node) {
					plain, secure := newRegistry(n.t), newTLSRegistry(n.t, ca, ca)
					for hub, with := range map[*registry]tlsfiles.Material{plain: {}, secure: material} {
						upstream := newRegistry(n.t)
						n.wireAlone(hub.URL, with, upstream.host())
						over(n)
						tc.spoil(hub)
						err := n.pull(upstream)
						if asked := upstream.asked(); (err == nil) != tc.works || len(asked) > 0 {
							n.t.Errorf("%s: the pull: %v; the upstream was asked %q", hub.URL, err, asked)
						}
					}
				})
			})
		}
	}
}

// pull resolves a tag of the upstream's, and fetches the manifest and a blob.
func (n node) pull(upstream *registry) error {
	n.t.Helper()
	ctx, cancel := context.WithCancel(n.t.Context())
	defer cancel()
	client := n.containerd.resolver(ctx, n.certs)
	reference := upstream.host() + "/" + repository + ":1"
	manifest, err := client.resolve(ctx, reference)
	if err != nil {
		return err
	}
	blob := ocispec.Descriptor{
		MediaType: ocispec.MediaTypeImageLayer, Digest: digest.FromBytes(upstream.blob), Size: int64(len(upstream.blob)),
	}
	for _, descriptor := range []ocispec.Descriptor{manifest, blob} {
		body, err := client.fetch(ctx, reference, descriptor)
		if err != nil {
			return err
		}
		_ = body.Close()
	}
	return nil
}
