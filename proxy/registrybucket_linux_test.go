package proxy_test

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/validate"
	"github.com/opencontainers/go-digest"

	"github.com/registryhub/registryhub/proxy/distspec"
)

func TestAnImageIsPushedToABucketByOneReplicaAndPulledFromAnother(t *testing.T) {
	server := bucketServer(t)
	defer func() { must(t, server.Stop()) }()
	open := func() *pushed {
		return runLocalOn(t, storeInBucket(t, t.TempDir(), server.Endpoint()), "{anonymous: Push}")
	}
	one, two := open(), open()
	image := randomImage(t)
	must(t, remote.Write(one.ref(t, "team/app:v1"), image, one.as(authn.Anonymous)...))
	got, err := remote.Image(two.ref(t, "team/app:v1"), two.as(authn.Anonymous)...)
	must(t, err)
	must(t, validate.Image(got))
	wantSame(t, image, got)

	manifest, err := got.Digest()
	must(t, err)
	must(t, remote.Delete(one.ref(t, "team/app@"+manifest.String()), one.as(authn.Anonymous)...))
	if _, err := remote.Head(two.ref(t, "team/app:v1"), two.as(authn.Anonymous)...); err == nil {
		t.Error("it is there after it was deleted")
	}
}

func TestClientsOfARegistryAreSentToTheBucketWhereThatIsWanted(t *testing.T) {
	server := bucketServer(t)
	defer func() { must(t, server.Stop()) }()
	place := strings.Replace(storeInBucket(t, t.TempDir(), server.Endpoint()), "maxSize: 1Gi", "maxSize: 1Gi, redirects: true", 1)
	s := runLocalOn(t, place, "{anonymous: Push}")
	blob := bytes.Repeat([]byte("0123456789abcdef"), 16<<10)
	d := digest.FromBytes(blob)
	at := "http://" + s.RegistryAddr().String() + "/v2/app/blobs/"
	s.roundTrip(t, http.MethodPost, at+"uploads/?digest="+d.String(), blob, http.StatusCreated)
	sent := s.roundTrip(t, http.MethodGet, at+d.String(), nil, http.StatusTemporaryRedirect)
	if !strings.HasPrefix(sent.Header.Get("Location"), server.Endpoint()+"/"+bucket+"/") {
		t.Fatalf("sent to %s", sent.Header.Get("Location"))
	}
	there := s.roundTrip(t, http.MethodGet, sent.Header.Get("Location"), nil, http.StatusOK)
	if there.digest != d {
		t.Errorf("there are other bytes")
	}
	s.roundTrip(t, http.MethodHead, at+d.String(), nil, http.StatusOK)
}

// A mirror in another cluster fetches from the bucket what the registry sends it there for, and needs neither after that.
func TestAMirrorFollowsARegistryToItsBucket(t *testing.T) {
	server := bucketServer(t)
	place := strings.Replace(storeInBucket(t, t.TempDir(), server.Endpoint()), "maxSize: 1Gi", "maxSize: 1Gi, redirects: true", 1)
	registry := runLocalOn(t, place, "{anonymous: Push}")
	image := randomImage(t)
	must(t, remote.Write(registry.ref(t, "team/app:v1"), image, registry.as(authn.Anonymous)...))
	mirror := &pushed{running: run(t, "http://"+registry.RegistryAddr().String(), t.TempDir()), transport: registry.transport}
	pull := func() {
		got, err := remote.Image(mirror.ref(t, "team/app:v1"), mirror.as(authn.Anonymous)...)
		must(t, err)
		must(t, validate.Image(got))
		wantSame(t, image, got)
	}
	pull()
	registry.transport.CloseIdleConnections()
	registry.stop()
	must(t, <-registry.ended)
	must(t, server.Stop())
	pull()
}

func TestARegistryInABucketSaysHowLongChunksShouldBe(t *testing.T) {
	server := bucketServer(t)
	defer func() { must(t, server.Stop()) }()
	s := runLocalOn(t, storeInBucket(t, t.TempDir(), server.Endpoint()), "{anonymous: Push}")
	begun := s.roundTrip(t, http.MethodPost, "http://"+s.RegistryAddr().String()+"/v2/app/blobs/uploads/", nil, http.StatusAccepted)
	if got := begun.Header.Get(distspec.HeaderChunkMinLength); got != "5242880" {
		t.Errorf("it says %q", got)
	}
}

// roundTripped is an answer that was read to its end.
type roundTripped struct {
	*http.Response
	digest digest.Digest
}

func (p *pushed) roundTrip(t *testing.T, method, url string, body []byte, want int) roundTripped {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, bytes.NewReader(body))
	must(t, err)
	response, err := p.transport.RoundTrip(request)
	must(t, err)
	content, err := io.ReadAll(response.Body)
	must(t, err)
	must(t, response.Body.Close())
	if response.StatusCode != want {
		t.Fatalf("%s %s: got %d %s, want %d", method, url, response.StatusCode, content, want)
	}
	return roundTripped{response, digest.FromBytes(content)}
}
