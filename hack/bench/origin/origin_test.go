package origin

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"
	"go.uber.org/goleak"

	"github.com/registryhub/registryhub/hack/bench/client"
	"github.com/registryhub/registryhub/hack/bench/images"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func start(t *testing.T) (images.Image, client.Puller, *Remote) {
	t.Helper()
	tree := images.Tree{Directory: t.TempDir()}
	image, err := tree.Image("test", 1000, 2000)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(New(tree))
	t.Cleanup(server.Close)
	remote := &Remote{Address: server.Listener.Addr().String()}
	t.Cleanup(remote.client.CloseIdleConnections)
	remote.client.Transport = &http.Transport{DisableKeepAlives: true}
	return image, client.Puller{Address: remote.Address}, remote
}

func TestAPullIsServedAndCounted(t *testing.T) {
	t.Parallel()
	for name, speed := range map[string]Speed{
		"as fast as it goes": {}, "slowly": {Rate: 1 << 30, Latency: time.Microsecond},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			image, puller, remote := start(t)
			if err := remote.Set(t.Context(), speed); err != nil {
				t.Fatal(err)
			}
			if _, err := puller.Pull(t.Context(), image); err != nil {
				t.Fatal(err)
			}
			counts, err := remote.Counts(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			want := Counts{image.TagPath(): {Requests: 1}, image.ManifestPath(): {Requests: 1, Bytes: image.Manifest.Size}}
			for _, blob := range image.Blobs {
				want[image.BlobPath(blob)] = Count{Requests: 1, Bytes: blob.Size}
			}
			if diff := cmp.Diff(want, counts); diff != "" {
				t.Errorf("the counts (-want +got):\n%s", diff)
			}
		})
	}
}

func TestARangeIsServedAndCounted(t *testing.T) {
	t.Parallel()
	image, puller, remote := start(t)
	path := image.BlobPath(image.Layers()[1])
	answer, err := puller.Ask(t.Context(), client.Request{Target: path, First: 5, Last: 104})
	if err != nil || answer.Status != http.StatusPartialContent {
		t.Fatalf("got %d (%v), want 206", answer.Status, err)
	}
	counts, err := remote.Counts(t.Context())
	if diff := cmp.Diff(Counts{path: {Requests: 1, Bytes: 100}}, counts); diff != "" || err != nil {
		t.Errorf("the counts (%v) (-want +got):\n%s", err, diff)
	}
}

func TestATagIsAnsweredWithItsDigest(t *testing.T) {
	t.Parallel()
	tree := images.Tree{Directory: t.TempDir()}
	image, err := tree.Image("test", 10)
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{image.TagPath(), image.ManifestPath()} {
		recorder := httptest.NewRecorder()
		New(tree).ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, path, http.NoBody))
		got := recorder.Result().Header.Get("Docker-Content-Digest")
		if want := digest.FromBytes(recorder.Body.Bytes()).String(); got != want || !strings.Contains(image.ManifestPath(), want) {
			t.Errorf("GET %s: the digest is %s, want %s", path, got, want)
		}
	}
}
