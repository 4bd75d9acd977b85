package faults

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	config "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/test/faults/origin"
)

const (
	// resumeSize and resumeRate make a fill last long enough that who asks for it follows it from its beginning.
	resumeSize = 2 << 20
	resumeRate = 4 << 20
)

// resumed is a proxy in front of an upstream that flips a bit of the layer of an image, once.
type resumed struct {
	*land
	origin *origin.Server
	proxy  *process
	image  *origin.Image
	layer  ocispec.Descriptor
	host   string
}

func newResumed(t *testing.T, at origin.Place) resumed {
	t.Helper()
	r := resumed{land: newLand(t), host: "resume.test"}
	r.origin = r.server(t, nil)
	r.origin.Throttle(resumeRate)
	r.proxy = start(t, configuration(t.TempDir(), time.Hour,
		config.MirrorHost{Host: r.host, Upstreams: []config.UpstreamConfiguration{{Name: "first", URL: r.origin.URL}}}))
	var err error
	r.image, err = r.registry.PushImage("team/resume", "v1", 3, resumeSize)
	must(t, err)
	r.layer = r.image.Descriptors[slices.IndexFunc(r.image.Descriptors, func(d ocispec.Descriptor) bool { return d.Size == resumeSize })]
	must(t, r.origin.Fail(origin.Rule{Fault: origin.FlippedBit(at), For: origin.Layers, Times: 1}))
	return r
}

// TestWhoGotWrongBytesIsSentElsewhereForTheRest: the transfer ends before the end of the blob, the rest of it is
// refused, and who asks for all of it gets all of it, from a transfer that is right.
func TestWhoGotWrongBytesIsSentElsewhereForTheRest(t *testing.T) {
	for name, at := range map[string]origin.Place{"in the first KiB": origin.InFirstKiB, "in the last KiB": origin.InLastKiB} {
		t.Run(name, func(t *testing.T) {
			r := newResumed(t, at)
			client := newStrict(r.proxy.address, r.host)
			defer client.client.CloseIdleConnections()
			body, status, err := client.get(t.Context(), r.image, r.layer, "")
			if status != 200 || err == nil || len(body) == 0 || len(body) >= resumeSize {
				t.Fatalf("the first transfer came to %d and %d bytes of %d (%v), want a part of them", status, len(body), resumeSize, err)
			}
			rest := fmt.Sprintf("bytes=%d-", len(body))
			if _, status, err := client.get(t.Context(), r.image, r.layer, rest); status != 503 {
				t.Errorf("the rest is answered %d (%v), want 503", status, err)
			}
			if saw := client.fetch(t.Context(), r.image, r.layer); saw != right {
				t.Errorf("the second transfer: %s", saw)
			}
			if _, status, err := client.get(t.Context(), r.image, r.layer, rest); status != 206 || err != nil {
				t.Errorf("the rest of what is right is answered %d (%v), want 206", status, err)
			}
		})
	}
}

// TestANodeResumesFromTheUpstreamItself: a node whose transfer was thrown away before its end gets the end from the
// upstream itself, and has the right bytes; nothing else is asked there.
func TestANodeResumesFromTheUpstreamItself(t *testing.T) {
	for name, n := range map[string]node{
		"containerd 1.7's code": modules1{}, "containerd 2.4's code": modules2{},
		"containerd 1.6": startDaemon(t, "1.6"), "containerd 2.4": startDaemon(t, "2.4"),
	} {
		t.Run(name, func(t *testing.T) {
			r, certs := newResumed(t, origin.InLastKiB), t.TempDir()
			must(t, wire(certs, r.host, r.proxy.address, r.direct.URL))
			if err := n.pull(t.Context(), certs, r.host, r.image); err != nil {
				t.Errorf("the pull failed: %v", err)
			}
			want := "GET /v2/" + r.image.Repository + "/blobs/" + r.layer.Digest.String()
			if got := r.direct.Asked(r.image.Repository); !slices.Equal(got, []string{want}) {
				t.Errorf("the node asked the upstream\n%s\nwant\n%s", strings.Join(got, "\n"), want)
			}
		})
	}
}
