package proxy_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	config "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/hack/s3server"
	"github.com/registryhub/registryhub/proxy"
)

const bucket = "images"

// bucketServer is an S3 server with a bucket.
func bucketServer(t *testing.T) *s3server.Server {
	t.Helper()
	server, err := s3server.Start(t.Context(), s3server.Options{Directory: t.TempDir()})
	must(t, err)
	must(t, server.MakeBucket(bucket))
	return server
}

// inBucket is the configuration of a proxy with its cache in a bucket.
func inBucket(t *testing.T, upstream, endpoint string) string {
	t.Helper()
	scratch := t.TempDir()
	return strings.Replace(configuration(upstream, scratch), "{directory: "+scratch+"}", storeInBucket(t, scratch, endpoint), 1)
}

// storeInBucket is YAML of store.
func storeInBucket(t *testing.T, scratch, endpoint string) string {
	t.Helper()
	credentials := t.TempDir()
	must(t, s3server.WriteKeys(credentials))
	return "{directory: " + scratch + ", s3: {endpoint: " + endpoint + ", bucket: " + bucket + ", credentialsDirectory: " + credentials + ", maxSize: 1Gi}}"
}

func TestImagesArePulledWhateverBecomesOfTheBucket(t *testing.T) {
	server := bucketServer(t)
	stop := func() { must(t, server.Stop()) }
	defer func() { stop() }()
	open := func(upstream string) *running {
		return runWith(t, inBucket(t, upstream, server.Endpoint()), proxy.Limits{})
	}
	s := openShopWith(t, server.File(bucket, ""), 4, open)
	s.keep(t, 0)
	s.pull(t, 0)
	eventually(t, "all is well", func() bool { return s.store(t) == config.StoreReport{} })

	must(t, server.Pause(t.Context()))
	s.pull(t, 0)
	s.pull(t, 1)
	eventually(t, "it is shown", func() bool {
		return s.figure(t, "registryhub_proxy_store_writable") == "registryhub_proxy_store_writable 0"
	})
	if diff := cmp.Diff(config.StoreReport{Failing: true}, s.store(t)); diff != "" {
		t.Errorf("the report while the server hangs (-want +got):\n%s", diff)
	}
	s.wantReady(t)
	must(t, server.Resume())
	eventually(t, "it is over", func() bool { return s.store(t) == config.StoreReport{} })
	s.keep(t, 1)

	stop()
	stop = func() {}
	s.pull(t, 2)
	again := open(s.origin) // as after a restart
	was := s.running
	s.running = again
	s.pull(t, 0)
	s.wantReady(t)
	s.transport.CloseIdleConnections()
	again.stop()
	must(t, <-again.ended)
	s.running = was
}

func TestClientsAreSentToTheBucketWhereThatIsWanted(t *testing.T) {
	server := bucketServer(t)
	defer func() { must(t, server.Stop()) }()
	s := openShopWith(t, server.File(bucket, ""), 1, func(upstream string) *running {
		content := strings.Replace(inBucket(t, upstream, server.Endpoint()), "maxSize: 1Gi", "maxSize: 1Gi, redirects: true", 1)
		return runWith(t, content, proxy.Limits{})
	})
	s.keep(t, 0)
	s.pull(t, 0) // follows where it is sent
	layer := "http://" + s.RegistryAddr().String() + "/v2/library/app/blobs/" + s.layers[0].String()
	small := "http://" + s.RegistryAddr().String() + "/v2/library/app/blobs/" + s.objects[0][1].String()
	for name, tc := range map[string]struct {
		method, url string
		want        int
	}{
		"a layer that is wanted": {http.MethodGet, layer, http.StatusTemporaryRedirect}, "one that is asked about": {http.MethodHead, layer, http.StatusOK},
		"what is small": {http.MethodGet, small, http.StatusOK},
	} {
		request, err := http.NewRequestWithContext(t.Context(), tc.method, tc.url, http.NoBody)
		must(t, err)
		answer, err := s.transport.RoundTrip(request)
		must(t, err)
		must(t, answer.Body.Close())
		sent := strings.HasPrefix(answer.Header.Get("Location"), server.Endpoint()+"/"+bucket+"/")
		if answer.StatusCode != tc.want || sent != (tc.want == http.StatusTemporaryRedirect) || answer.Header.Get("Docker-Content-Digest") == "" {
			t.Errorf("%s: got %d, %v", name, answer.StatusCode, answer.Header)
		}
	}
}

func TestReplicasShareABucket(t *testing.T) {
	server := bucketServer(t)
	defer func() { must(t, server.Stop()) }()
	open := func(upstream string) *running {
		return runWith(t, inBucket(t, upstream, server.Endpoint()), proxy.Limits{})
	}
	s := openShopWith(t, server.File(bucket, ""), 1, open)
	s.keep(t, 0)

	other := runWith(t, inBucket(t, "http://127.0.0.1:1", server.Endpoint()), proxy.Limits{}) // whose upstream is down
	was := s.running
	s.running = other
	s.pull(t, 0)
	s.transport.CloseIdleConnections()
	other.stop()
	must(t, <-other.ended)
	s.running = was
}
