package local_test

import (
	"context"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/registryhub/registryhub/hack/s3server"
	"github.com/registryhub/registryhub/proxy/distspec"
	"github.com/registryhub/registryhub/proxy/local"
	"github.com/registryhub/registryhub/proxy/store/fsstore"
	"github.com/registryhub/registryhub/proxy/store/s3store"
)

// places are what three replicas share.
var places = map[string]func(*testing.T) []*rig{
	"on a directory": func(t *testing.T) []*rig {
		t.Helper()
		dir := t.TempDir()
		return []*rig{newReplica(t, dir), newReplica(t, dir), newReplica(t, dir)}
	},
	"on a bucket": func(t *testing.T) []*rig {
		t.Helper()
		server, err := s3server.Start(context.Background(), s3server.Options{Directory: t.TempDir()})
		must(t, err)
		t.Cleanup(func() { must(t, server.Stop()) })
		must(t, server.MakeBucket("images"))
		inBucket := func(o *local.Options) { o.Store = openBucket(t, server) }
		return []*rig{newRig(t, inBucket), newRig(t, inBucket), newRig(t, inBucket)}
	},
}

func openBucket(t *testing.T, server *s3server.Server) *s3store.Registry {
	t.Helper()
	endpoint, err := url.Parse(server.Endpoint())
	must(t, err)
	scratch, err := fsstore.Open(t.TempDir())
	must(t, err)
	r, err := s3store.OpenRegistry(t.Context(), s3store.Options{
		Endpoint: endpoint, Region: s3server.Region, Bucket: "images", Credentials: bucketKeys{}, Transport: &http.Transport{}, MaxSize: 1 << 30, Scratch: scratch,
		Timeouts: s3store.Timeouts{Answer: 20 * time.Second, Idle: 20 * time.Second, Part: time.Minute, Pause: time.Minute, Lease: time.Minute},
	})
	must(t, err)
	t.Cleanup(r.Close)
	return r
}

// bucketKeys are the server's own.
type bucketKeys struct{}

func (bucketKeys) Keys() (id, secret, token string, err error) {
	return s3server.AccessKeyID, s3server.SecretAccessKey, "", nil
}

func TestABucketAsksForLongChunksAndTakesShortOnes(t *testing.T) {
	r := places["on a bucket"](t)[0]
	begun := r.do("POST", "/v2/app/blobs/uploads/", "").is(t, http.StatusAccepted).has(t, distspec.HeaderChunkMinLength, "5242880")
	at := r.patch(t, begun.location(t), 0, content[:5])
	d := digest.FromString(content)
	r.do("PUT", at+"?digest="+d.String(), content[5:]).is(t, http.StatusCreated)
	newRig(t).do("POST", "/v2/app/blobs/uploads/", "").is(t, http.StatusAccepted).has(t, distspec.HeaderChunkMinLength, "")
}
