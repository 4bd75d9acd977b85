// Package s3store keeps content in a bucket of an S3 server, which several processes may share. The bucket is the only truth.
// Below the prefix:
//
//	blobs/<algorithm>/<2 hex>/<hex>              an object; its size is in its metadata as well
//	used/<algorithm>/<2 hex>/<hex>               an empty mark, written when the object is used, at most once an hour
//	repositories/<host>/<name...>/_links/<algorithm>/<hex>
//	repositories/<host>/<name...>/_tags/<tag>
//	evictor                                      who evicts now, and how much is used
//	probes/<process>                             what a process writes to learn whether it can
//
// A fill is kept on scratch space of the process alone, and uploaded when it is whole and verified: an object appears in the
// bucket whole or not at all. Two processes may fill the same object; the second upload replaces the first by the same
// bytes. A size that is not the one in the metadata makes an object known that the server cut off.
//
// When an object was last used is the later of when it was written and when it was marked, by the server's clock.
//
// That is a Store, for what can be fetched again. A Registry keeps what is pushed, in another way, in which nothing is lost
// to a write that comes late.
package s3store

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"sync/atomic"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/registryhub/registryhub/proxy/store"
)

// Options of a Store. All are required, except where a default is named.
type Options struct {
	// Endpoint of the server: a URL with http or https and no path.
	Endpoint *url.URL
	// Region of the bucket, such as eu-central-1.
	Region string
	// Bucket, which must exist.
	Bucket string
	// Prefix of all keys, without a slash at either end. Default: none.
	Prefix string
	// Credentials are asked for at each request, so that rotated ones are used.
	Credentials Credentials
	// Transport of the requests, which the Store owns.
	Transport *http.Transport
	// MaxSize is how many bytes of objects the bucket is to hold: what watermarks are a share of.
	MaxSize int64
	// Scratch is where fills are kept until they are whole, alone for this process.
	Scratch Scratch
	// MaxScratch is how many bytes fills may take of it. Default: as many as it has.
	MaxScratch int64
	// Timeouts of requests. Default: DefaultTimeouts.
	Timeouts Timeouts
}

// Scratch is what a Store needs of the place of its fills.
type Scratch interface {
	store.Content
	store.Lister
	store.Remover
	store.Prober
	// Temporary returns an empty file that has no name, and is gone when it is closed.
	Temporary() (*os.File, error)
}

// Timeouts bound what a server that hangs can cost.
type Timeouts struct {
	// Answer is for a small request, tries included, and for the header of a large one.
	Answer time.Duration
	// Idle is how long nothing may come of an object that is read.
	Idle time.Duration
	// Part is for the upload of at most 16 MiB.
	Part time.Duration
	// Pause is how long a server that did not answer in time is not asked again, except by Probe. It is longer than the
	// time between two probes of a store in trouble, so that no client waits for such a server but the first.
	Pause time.Duration
	// Lease is how long, by the server's clock, a process stays elected to evict that does not say so again. Of this the
	// server tells whole seconds.
	Lease time.Duration
}

// DefaultTimeouts are those of Options.
func DefaultTimeouts() Timeouts {
	return Timeouts{Answer: 3 * time.Second, Idle: 10 * time.Second, Part: time.Minute, Pause: 12 * time.Second, Lease: 2 * time.Minute}
}

// tries of each request that can be made again.
const tries = 2

// Store is a store.Store in a bucket. Several processes may have the same bucket and prefix.
type Store struct {
	bucket    bucket
	keys      keys
	scratch   Scratch
	room      room
	pins      store.Pins
	marks     marks
	usage     usage
	lease     lease
	uploads   chan struct{} // taken by parts on their way
	process   string        // names this process among those that share the bucket
	maxSize   atomic.Int64
	redirects atomic.Bool
	transport *http.Transport
}

var (
	_ store.Store     = (*Store)(nil)
	_ store.Evictable = (*Store)(nil)
	_ store.Shared    = (*Store)(nil)
	_ store.Prober    = (*Store)(nil)
)

// Open returns the store in a bucket. It asks the server nothing, so that a process starts while there is none. The caller
// closes it.
func Open(ctx context.Context, options Options) (*Store, error) {
	if options.Timeouts == (Timeouts{}) {
		options.Timeouts = DefaultTimeouts()
	}
	core, err := minio.NewCore(options.Endpoint.Host, &minio.Options{
		Creds: credentials.New(provider{options.Credentials}), Secure: options.Endpoint.Scheme == "https",
		Transport: options.Transport, Region: options.Region, MaxRetries: tries,
	})
	if err != nil {
		return nil, fmt.Errorf("opening the store in the bucket %s of %s: %w", options.Bucket, options.Endpoint.Redacted(), err)
	}
	s := &Store{
		bucket:  bucket{core: core, name: options.Bucket, timeouts: options.Timeouts, gate: &gate{pause: options.Timeouts.Pause}},
		keys:    newKeys(options.Prefix),
		scratch: options.Scratch, room: room{max: options.MaxScratch}, uploads: make(chan struct{}, uploadsAtOnce),
		process: rand.Text(), transport: options.Transport,
	}
	s.SetMaxSize(options.MaxSize)
	if err := s.measureScratch(ctx); err != nil {
		return nil, fmt.Errorf("looking at the scratch space: %w", err)
	}
	return s, nil
}

// SetMaxSize holds the bucket to another size in bytes from now on.
func (s *Store) SetMaxSize(bytes int64) { s.maxSize.Store(bytes) }

// Close ends the connections that nobody uses.
func (s *Store) Close() { s.transport.CloseIdleConnections() }

// Credentials of the server's user.
type Credentials interface {
	// Keys returns the access key ID, the secret access key and, where there is one, the session token. It is called for
	// each request.
	Keys() (id, secret, token string, err error)
}

// provider hands Credentials to the client library.
type provider struct{ Credentials }

func (p provider) RetrieveWithCredContext(*credentials.CredContext) (credentials.Value, error) {
	id, secret, token, err := p.Keys()
	if err != nil {
		return credentials.Value{}, fmt.Errorf("%w: %w", errNoCredentials, err)
	}
	return credentials.Value{AccessKeyID: id, SecretAccessKey: secret, SessionToken: token, SignerType: credentials.SignatureV4}, nil
}

// Retrieve is required by the library, and not called by it.
func (p provider) Retrieve() (credentials.Value, error) { return p.RetrieveWithCredContext(nil) }

// IsExpired has the library ask again each time.
func (provider) IsExpired() bool { return true }

var errNoCredentials = errors.New("reading the credentials")

// serverNow is the server's time of an answer, or this machine's where it does not say.
func serverNow(h http.Header) time.Time {
	now, err := http.ParseTime(cmp.Or(h.Get("Date"), "none"))
	if err != nil {
		return time.Now()
	}
	return now
}
