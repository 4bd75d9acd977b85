package scenario

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sync/errgroup"

	"github.com/registryhub/registryhub/hack/bench/contender"
	"github.com/registryhub/registryhub/hack/bench/report"
	"github.com/registryhub/registryhub/hack/s3server"
)

// pushes are what is pushed in one run: blobs of a size, by so many clients at once.
type pushes struct {
	size    int64
	name    string
	clients int
	blobs   int
}

// push is what a registry makes of blobs that nobody has pushed before.
func push() Family {
	f := Family{Name: "push", Title: "Pushing blobs", Contenders: []string{contender.Ours, contender.Distribution}, Push: true}
	for _, p := range []pushes{
		{1 << 20, "1 MiB", 1, 64}, {1 << 20, "1 MiB", 8, 256}, {1 << 20, "1 MiB", 32, 256},
		{64 << 20, "64 MiB", 1, 8}, {64 << 20, "64 MiB", 8, 16}, {64 << 20, "64 MiB", 32, 32},
		{1 << 30, "1 GiB", 1, 1}, {1 << 30, "1 GiB", 8, 8},
	} {
		f.Cases = append(f.Cases, p.in("push", "pushing"))
	}
	return f
}

// pushToBucket is push of registries that keep blobs in a bucket. What its server takes of the processors is not counted.
func pushToBucket() Family {
	f := Family{
		Name: "bucket", Title: "Pushing blobs to a bucket", Contenders: []string{contender.Ours, contender.Distribution}, Push: true, Start: startWithBucket,
	}
	for _, p := range []pushes{{1 << 20, "1 MiB", 8, 128}, {64 << 20, "64 MiB", 1, 8}, {64 << 20, "64 MiB", 32, 32}, {1 << 30, "1 GiB", 1, 1}} {
		f.Cases = append(f.Cases, p.in("bucket", "pushing to a bucket,"))
	}
	return f
}

// startWithBucket starts a contender, and an S3 server for it alone.
func startWithBucket(ctx context.Context, name string, place contender.Place) (*contender.Server, func() error, error) {
	data := filepath.Join(place.Directory, "s3")
	if err := os.Mkdir(data, 0o700); err != nil {
		return nil, nil, fmt.Errorf("making a directory for a bucket: %w", err)
	}
	bucket, err := s3server.Start(ctx, s3server.Options{Directory: data})
	if err != nil {
		return nil, nil, err
	}
	if err := bucket.MakeBucket(contender.BucketName); err != nil {
		return nil, nil, errors.Join(err, bucket.Stop())
	}
	place.Bucket = bucket.Endpoint()
	server, err := contender.Start(ctx, name, place)
	if err != nil {
		return nil, nil, errors.Join(err, bucket.Stop())
	}
	return server, func() error { return errors.Join(server.Stop(), bucket.Stop()) }, nil
}

func (p pushes) in(family, title string) Case {
	return Case{
		Name: fmt.Sprintf("%s-%d-%d", family, p.size>>20, p.clients), Title: fmt.Sprintf("%s %s, clients: %d", title, p.name, p.clients),
		Rounds: 2, Measure: p.measure,
		Columns: append(ratio("CPU per GiB", cpuPerGiB, report.SecondsPerGiB, contender.Distribution),
			ratio("throughput", throughput, report.GiBPerSecond, contender.Distribution)...),
		Targets: []report.Target{
			{What: "CPU per GiB at most distribution's", Metric: cpuPerGiB, Against: contender.Distribution, Factor: 1},
			{What: "peak memory at most 100 MiB", Metric: peakMemory, Plus: 100 << 20, Unit: report.MiB},
		},
	}
}

func (p pushes) measure(ctx context.Context, _ *Bench, s *contender.Server) (report.Figures, error) {
	bodies := make([]*pushed, p.blobs)
	for i := range bodies {
		bodies[i] = newPushed(uint64(i), p.size)
	}
	before, err := s.CPU()
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{MaxIdleConnsPerHost: p.clients, WriteBufferSize: 256 << 10}
	defer transport.CloseIdleConnections()
	began := time.Now()
	group, inner := errgroup.WithContext(ctx)
	group.SetLimit(p.clients)
	for _, body := range bodies {
		group.Go(func() error { return body.push(inner, transport, "http://"+s.Address) })
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	took := time.Since(began)
	after, err := s.CPU()
	size := float64(p.size) * float64(p.blobs)
	return report.Figures{cpuPerGiB: (after - before).Seconds() / (size / gib), throughput: size / took.Seconds()}, err
}

// pushed is a blob that is made while it is sent: one block again and again, each time with another beginning.
type pushed struct {
	seed   uint64
	size   int64
	digest digest.Digest
}

const pushedBlock = 1 << 20

func newPushed(seed uint64, size int64) *pushed {
	p := &pushed{seed: seed, size: size}
	hash := digest.Canonical.Hash()
	_, _ = io.Copy(hash, p.reader()) // neither fails
	p.digest = digest.NewDigest(digest.Canonical, hash)
	return p
}

func (p *pushed) reader() io.Reader {
	block := make([]byte, pushedBlock)
	random := rand.New(rand.NewPCG(p.seed, 1))
	for i := range block {
		block[i] = byte(random.Uint32())
	}
	blocks := make([]io.Reader, 0, 2*p.size/pushedBlock)
	for n := range p.size / pushedBlock {
		blocks = append(blocks, bytes.NewReader(fmt.Appendf(nil, "%08d", n)), bytes.NewReader(block[8:]))
	}
	return io.MultiReader(blocks...)
}

// push pushes as containerd does: a POST, and all in the PUT.
func (p *pushed) push(ctx context.Context, transport http.RoundTripper, registry string) error {
	begun, err := send(ctx, transport, http.MethodPost, registry+"/v2/bench/app/blobs/uploads/", nil, 0, http.StatusAccepted)
	if err != nil {
		return err
	}
	query := begun.Query()
	query.Set("digest", p.digest.String())
	begun.RawQuery = query.Encode()
	_, err = send(ctx, transport, http.MethodPut, begun.String(), p.reader(), p.size, http.StatusCreated)
	return err
}

// send returns the Location of the answer.

func send(ctx context.Context, transport http.RoundTripper, method, target string, body io.Reader, length int64, want int) (*url.URL, error) {
	request, err := http.NewRequestWithContext(ctx, method, target, body)
	if err != nil {
		return nil, err
	}
	request.ContentLength = length
	response, err := transport.RoundTrip(request)
	if err != nil {
		return nil, fmt.Errorf("pushing: %w", err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != want {
		err = fmt.Errorf("pushing: the answer to %s is %d and not %d: %s", method, response.StatusCode, want, text)
	}
	if err != nil {
		return nil, err
	}
	return response.Location()
}
