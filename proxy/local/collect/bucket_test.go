package collect_test

import (
	"bytes"
	"context"
	"io/fs"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/registryhub/registryhub/hack/s3server"
	"github.com/registryhub/registryhub/proxy/local/collect"
	"github.com/registryhub/registryhub/proxy/store/fsstore"
	"github.com/registryhub/registryhub/proxy/store/s3store"
)

// bucket is one of a server of its own.
type bucket struct{ server *s3server.Server }

func newBucket(t *testing.T) bucket {
	t.Helper()
	server, err := s3server.Start(context.Background(), s3server.Options{Directory: t.TempDir()})
	must(t, err)
	t.Cleanup(func() { must(t, server.Stop()) })
	must(t, server.MakeBucket("images"))
	return bucket{server}
}

func (b bucket) open(t *testing.T) *s3store.Registry {
	t.Helper()
	endpoint, err := url.Parse(b.server.Endpoint())
	must(t, err)
	scratch, err := fsstore.Open(t.TempDir())
	must(t, err)
	r, err := s3store.OpenRegistry(t.Context(), s3store.Options{
		Endpoint: endpoint, Region: s3server.Region, Bucket: "images", Credentials: keys{}, Transport: &http.Transport{MaxIdleConnsPerHost: 64},
		MaxSize: 1 << 30, Scratch: scratch,
		Timeouts: s3store.Timeouts{Answer: 20 * time.Second, Idle: 20 * time.Second, Part: time.Minute, Pause: time.Minute, Lease: time.Minute},
	})
	must(t, err)
	t.Cleanup(r.Close)
	return r
}

// keys are the server's own.
type keys struct{}

func (keys) Keys() (id, secret, token string, err error) {
	return s3server.AccessKeyID, s3server.SecretAccessKey, "", nil
}

// TestTheSpaceInABucketComesBack deletes an image, and counts what the bucket holds.
func TestTheSpaceInABucketComesBack(t *testing.T) {
	b, ctx := newBucket(t), t.Context()
	content := b.open(t)
	in := func(age time.Duration) func() time.Time { return func() time.Time { return time.Now().Add(age) } }
	r := replicaOn(t, content, collect.DefaultAge, in(0))
	layer, other := string(bytes.Repeat([]byte("layer "), 1<<20)), string(bytes.Repeat([]byte("other "), 1<<20))
	for tag, layer := range map[string]string{"v1": layer, "v2": other} {
		if ok, err := r.push(ctx, "team/a", tag, "{}", layer, "none"); !ok || err != nil {
			t.Fatal(err)
		}
	}
	if used := usedOf(t, content); used < 12<<20 {
		t.Fatalf("%d bytes are used of two layers of 6 MiB", used)
	}
	d := digest.FromString(manifestOf("{}", layer)).String()
	if status, _, _ := r.do(ctx, http.MethodDelete, "/v2/team/a/manifests/"+d, ""); status != http.StatusAccepted {
		t.Fatal(status)
	}
	later := replicaOn(t, b.open(t), collect.DefaultAge, in(25*time.Hour))
	freed, err := later.collector.Collect(ctx)
	must(t, err)
	if freed.Links != 1 || freed.Objects != 2 || freed.Bytes < 6<<20 {
		t.Errorf("freed %+v, want a link, a layer and a manifest", freed)
	}
	if used := usedOf(t, content); used < 6<<20 || used > 7<<20 {
		t.Errorf("%d bytes are used of one layer of 6 MiB", used)
	}
	must(t, later.pull(ctx, "team/a", "v2", "{}", other))
	for range 3 { // what was taken away leaves traces, which go when they are old
		_, err := content.ReapUploads(ctx, time.Now().Add(time.Hour))
		must(t, err)
		_, err = replicaOn(t, content, collect.DefaultAge, in(50*time.Hour)).collector.Collect(ctx)
		must(t, err)
	}
	if left := b.keys(t); len(left) > 12 {
		t.Errorf("of one image are %d keys in the bucket: %q", len(left), left)
	}
	must(t, later.pull(ctx, "team/a", "v2", "{}", other))
}

// usedOf counts.
func usedOf(t *testing.T, r *s3store.Registry) int64 {
	t.Helper()
	_, err := r.ReapUploads(t.Context(), time.Now().Add(-time.Hour))
	must(t, err)
	usage, err := r.Usage(t.Context())
	must(t, err)
	return usage.Used
}

func (b bucket) keys(t *testing.T) (keys []string) {
	t.Helper()
	root := b.server.File("images", "")
	must(t, filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			keys = append(keys, strings.TrimPrefix(path, root))
		}
		return err
	}))
	return keys
}
