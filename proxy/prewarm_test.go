package proxy_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	config "github.com/registryhub/registryhub/api/config/v1alpha1"
)

// pushIndex pushes an image for two platforms, and returns the digest of the layer of each.
func (o *origin) pushIndex(t *testing.T, tag string) (amd64, arm64 string) {
	t.Helper()
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	index := v1.ImageIndex(empty.Index)
	layers := map[string]string{}
	for _, architecture := range []string{"amd64", "arm64"} {
		image, err := random.Image(100<<10, 1)
		must(t, err)
		content, err := image.Layers()
		must(t, err)
		digest, err := content[0].Digest()
		must(t, err)
		layers[architecture] = digest.String()
		index = mutate.AppendManifests(index, mutate.IndexAddendum{
			Add: image, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: architecture}},
		})
	}
	ref, err := name.ParseReference(strings.TrimPrefix(o.URL, "http://") + "/library/app:" + tag)
	must(t, err)
	must(t, remote.WriteIndex(ref, index, remote.WithTransport(transport)))
	return layers["amd64"], layers["arm64"]
}

func prewarming(upstream, dir string, images ...string) string {
	return configuration(upstream, dir) + fmt.Sprintf("  prewarm: {every: 1m, platforms: [linux/amd64], images: [%s]}\n", strings.Join(images, ", "))
}

func warmed(n int32) func(config.ProxyReport) bool {
	return func(r config.ProxyReport) bool { return r.Prewarm != nil && r.Prewarm.Warm == n }
}

func TestImagesArePulledBeforeAnybodyAsks(t *testing.T) {
	up := newOrigin(t)
	image, err := random.Image(3<<20, 3)
	must(t, err)
	up.push(t, "1", image)
	amd64, arm64 := up.pushIndex(t, "many")
	dir := t.TempDir()
	f := runFile(t, prewarming(up.URL, dir, "docker.io/library/app:1"))
	f.await(t, "the image is warm", warmed(1))

	second := prewarming(up.URL, dir, "app:1", "app:many")
	f.write(t, second)
	f.Reload()
	f.await(t, "both are warm", func(r config.ProxyReport) bool { return inForce(second)(r) && warmed(2)(r) })
	if diff := cmp.Diff(&config.PrewarmReport{Images: 2, Warm: 2}, f.report(t).Prewarm); diff != "" {
		t.Errorf("the report (-want +got):\n%s", diff)
	}
	if got := up.blobCount(arm64); got != 0 {
		t.Errorf("the layer of a platform that nobody wants was fetched %d times", got)
	}
	up.Close()
	for _, path := range slices.Concat(pathsOf(t, image), []string{"library/app/manifests/many", "library/app/blobs/" + amd64}) {
		if code, _ := get(t, f.client, f.url(path)); code != http.StatusOK {
			t.Errorf("with the upstream away %s is answered %d", path, code)
		}
	}
}

// pathsOf are those of all that an image with tag 1 consists of.
func pathsOf(t *testing.T, image v1.Image) []string {
	t.Helper()
	manifest, err := image.Manifest()
	must(t, err)
	paths := []string{"library/app/manifests/1", "library/app/blobs/" + manifest.Config.Digest.String()}
	for _, layer := range manifest.Layers {
		paths = append(paths, "library/app/blobs/"+layer.Digest.String())
	}
	return paths
}

func TestImagesThatCannotBePulledAheadAreReported(t *testing.T) {
	up := newOrigin(t)
	image, err := random.Image(1<<10, 1)
	must(t, err)
	up.push(t, "1", image)
	f := runFile(t, prewarming(up.URL, t.TempDir(), "app:absent", "app:1"))
	f.await(t, "the second is warm, whatever became of the first", warmed(1))
	want := []config.PrewarmFailure{{Image: "app:absent", Message: "the registry has no such manifest in this repository"}}
	if diff := cmp.Diff(want, f.report(t).Prewarm.Failing); diff != "" {
		t.Errorf("what fails (-want +got):\n%s", diff)
	}
	if n := f.log.count("image could not be pulled ahead"); n != 1 {
		t.Errorf("it is logged %d times, want once", n)
	}
}

func (o *origin) blobCount(digest string) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.blobs[digest]
}
