package s3store_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	"go.uber.org/goleak"

	"github.com/registryhub/registryhub/hack/s3server"
	"github.com/registryhub/registryhub/proxy/store"
	"github.com/registryhub/registryhub/proxy/store/fsstore"
	"github.com/registryhub/registryhub/proxy/store/s3store"
	"github.com/registryhub/registryhub/proxy/store/storetest"
)

// server is the S3 server of all tests, each of which has a bucket of its own.
var server *s3server.Server

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "s3store")
	if err == nil {
		defer os.RemoveAll(dir)
		server, err = s3server.Start(context.Background(), s3server.Options{Directory: dir})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	code := m.Run()
	if err := server.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if err := goleak.Find(); code == 0 && err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

func TestConformance(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storetest.Opener {
		t.Helper()
		p := newPlace(t)
		return func() store.Store { return p.open(t) }
	})
}

func TestRegistryConformance(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storetest.Opener {
		t.Helper()
		p := newPlace(t)
		return func() store.Store { return p.openRegistry(t) }
	})
}

// place is a bucket, and the scratch space of one process, or of its successors.
type place struct {
	bucket, scratch string
	endpoint        string
	change          func(*s3store.Options)
}

var buckets atomic.Int32

func newPlace(t *testing.T) place {
	t.Helper()
	p := place{bucket: fmt.Sprintf("bucket-%d", buckets.Add(1)), scratch: t.TempDir(), endpoint: server.Endpoint()}
	must(t, server.MakeBucket(p.bucket))
	return p
}

// elsewhere is the same bucket for another replica.
func (p place) elsewhere(t *testing.T) place {
	t.Helper()
	p.scratch = t.TempDir()
	return p
}

func (p place) open(t *testing.T) *s3store.Store {
	t.Helper()
	s, err := s3store.Open(t.Context(), p.options(t))
	must(t, err)
	t.Cleanup(s.Close)
	return s
}

func (p place) openRegistry(t *testing.T) *s3store.Registry {
	t.Helper()
	r, err := s3store.OpenRegistry(t.Context(), p.options(t))
	must(t, err)
	t.Cleanup(r.Close)
	return r
}

func (p place) options(t *testing.T) s3store.Options {
	t.Helper()
	scratch, err := fsstore.Open(p.scratch)
	must(t, err)
	endpoint, err := url.Parse(p.endpoint)
	must(t, err)
	options := s3store.Options{
		Endpoint: endpoint, Region: s3server.Region, Bucket: p.bucket, Prefix: "hubs/docker-io", Credentials: keys{},
		Transport: &http.Transport{}, MaxSize: 1 << 30, Scratch: scratch,
		Timeouts: s3store.Timeouts{Answer: 20 * time.Second, Idle: 20 * time.Second, Part: time.Minute, Pause: time.Minute},
	}
	if p.change != nil {
		p.change(&options)
	}
	return options
}

// keys are the server's own.
type keys struct{}

func (keys) Keys() (id, secret, token string, err error) {
	return s3server.AccessKeyID, s3server.SecretAccessKey, "", nil
}

func put(t *testing.T, s store.Store, data string) digest.Digest {
	t.Helper()
	proof, err := store.Prove(digest.FromString(data), []byte(data))
	must(t, err)
	must(t, s.Put(t.Context(), proof, []byte(data)))
	return proof.Digest()
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
