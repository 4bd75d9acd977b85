package oracles

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// TestAPullGoesThroughTheHubAndElseToTheUpstream drives containerd's resolver and fetcher, over real connections, by
// files that the agent's own code wrote.
func TestAPullGoesThroughTheHubAndElseToTheUpstream(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		wire func(n node, mirror, upstream *registry)
		// byHub: every request goes to the hub; byUpstream: the upstream serves.
		byHub, byUpstream bool
	}{
		"wired":              {func(n node, m, u *registry) { n.wire(m.URL, u.host()) }, true, false},
		"the hub refuses":    {func(n node, _, u *registry) { n.wire(refusing(n.t), u.host()) }, false, true},
		"the hub fails":      {func(n node, m, u *registry) { m.status = http.StatusServiceUnavailable; n.wire(m.URL, u.host()) }, false, true},
		"the hub lacks it":   {func(n node, m, u *registry) { m.status = http.StatusNotFound; n.wire(m.URL, u.host()) }, false, true},
		"the hub forbids it": {func(n node, m, u *registry) { m.status = http.StatusForbidden; n.wire(m.URL, u.host()) }, false, true},
		"not wired":          {func(node, *registry, *registry) {}, false, true},
		"withdrawn":          {func(n node, m, u *registry) { n.wire(m.URL, u.host()); n.wire(m.URL) }, false, true},
		"after a reboot":     {func(n node, m, u *registry) { n.wire(m.URL, u.host()); _ = os.RemoveAll(n.run) }, false, true},
		"repaired after one": {func(n node, m, u *registry) {
			n.wire(m.URL, u.host())
			_ = os.RemoveAll(n.run)
			n.wire(m.URL, u.host())
		}, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onEach(t, func(n node) {
				hub, upstream := newRegistry(n.t), newRegistry(n.t)
				tc.wire(n, hub, upstream)
				n.mustPull(upstream)
				atHub, atUpstream := hub.asked(), upstream.asked()
				if tc.byHub != (len(atHub) > 0 && hub.status == 0) || tc.byUpstream != (len(atUpstream) > 0) {
					n.t.Errorf("the hub was asked %q, the upstream %q", atHub, atUpstream)
				}
				if len(atHub) > 0 {
					mustNameTheHost(n.t, atHub, upstream.host())
				}
				for _, request := range atUpstream {
					if strings.Contains(request, "ns=") {
						n.t.Errorf("the upstream was asked %q", request)
					}
				}
			})
		})
	}
}

// mustNameTheHost: each request to the hub says in ?ns= which registry is meant.
func mustNameTheHost(t *testing.T, requests []string, host string) {
	t.Helper()
	for _, request := range requests {
		if !strings.HasSuffix(request, "?ns="+url.QueryEscape(host)) {
			t.Errorf("the hub was asked %q, without the host %s", request, host)
		}
	}
}

// mustPull resolves a tag of the upstream's and fetches the manifest and a blob.
func (n node) mustPull(upstream *registry) {
	n.t.Helper()
	ctx, cancel := context.WithCancel(n.t.Context())
	defer cancel()
	client := n.containerd.resolver(ctx, n.configPath())
	reference := upstream.host() + "/" + repository + ":1"
	manifest, err := client.resolve(ctx, reference)
	if err != nil {
		n.t.Fatalf("resolving %s: %v", reference, err)
	}
	if want := digest.FromBytes(upstream.manifest); manifest.Digest != want {
		n.t.Errorf("resolved to %s, want %s", manifest.Digest, want)
	}
	blob := ocispec.Descriptor{
		MediaType: ocispec.MediaTypeImageLayer, Digest: digest.FromBytes(upstream.blob), Size: int64(len(upstream.blob)),
	}
	for _, descriptor := range []ocispec.Descriptor{manifest, blob} {
		n.mustFetch(ctx, client, reference, descriptor)
	}
}

func (n node) mustFetch(ctx context.Context, client resolver, reference string, descriptor ocispec.Descriptor) {
	n.t.Helper()
	body, err := client.fetch(ctx, reference, descriptor)
	if err != nil {
		n.t.Fatalf("fetching %s: %v", descriptor.Digest, err)
	}
	defer func() { _ = body.Close() }()
	content, err := io.ReadAll(body)
	if err != nil || digest.FromBytes(content) != descriptor.Digest {
		n.t.Errorf("fetched %q (%v)", content, err)
	}
}

// TestAHubThatDiesDuringAPullIsPassedOver: between the manifest and a layer.
func TestAHubThatDiesDuringAPullIsPassedOver(t *testing.T) {
	t.Parallel()
	onEach(t, func(n node) {
		hub, upstream := newRegistry(n.t), newRegistry(n.t)
		n.wire(hub.URL, upstream.host())
		ctx, cancel := context.WithCancel(n.t.Context())
		defer cancel()
		client := n.containerd.resolver(ctx, n.certs)
		reference := upstream.host() + "/" + repository + ":1"
		manifest, err := client.resolve(ctx, reference)
		if err != nil || len(upstream.asked()) > 0 {
			n.t.Fatalf("resolving through the hub: %v", err)
		}
		hub.Close()
		n.mustFetch(ctx, client, reference, manifest)
		if len(upstream.asked()) == 0 {
			n.t.Error("the upstream was not asked")
		}
	})
}
