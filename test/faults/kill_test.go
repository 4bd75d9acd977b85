package faults

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	config "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/test/faults/origin"
)

// killsVariable is how often TestKill kills.
const killsVariable = "REGISTRYHUB_KILLS"

const (
	defaultKills = 20
	// killRate is what the upstream sends in all, in bytes per second, so that kills land in the middle of fills.
	killRate = 24 << 20
)

// killSizes are the layers of an image whose fills are killed, in bytes.
var killSizes = []int{16 << 20, 4 << 20, 300 << 10}

// TestKill kills the proxy again and again while clients pull, and starts it again on the same directory.
func TestKill(t *testing.T) {
	kills := defaultKills
	if text := os.Getenv(killsVariable); text != "" {
		var err error
		kills, err = strconv.Atoi(text)
		must(t, err)
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("%d kills, seed %d", kills, seed)
	k := newKillings(t, seed)
	for i := range kills {
		if t.Failed() {
			return
		}
		k.round(t, i)
	}
	k.last(t)
}

// killings is a proxy's directory over its lives.
type killings struct {
	registry  *origin.Registry
	origin    *origin.Server
	directory string
	random    *rand.Rand

	mu sync.Mutex
	// images that are being pulled; the last ones are in work, the others are whole.
	images []*origin.Image
	// kept are the objects that were served whole twice, the second time without the upstream: they are in the store.
	kept map[digest.Digest]bool
	// wrongs are wrong bytes that a client was given.
	wrongs []string
}

func newKillings(t *testing.T, seed uint64) *killings {
	t.Helper()
	k := &killings{
		registry: origin.NewRegistry(), directory: t.TempDir(), kept: map[digest.Digest]bool{},
		random: rand.New(rand.NewPCG(seed, 0)),
	}
	var err error
	k.origin, err = k.registry.Origin(nil)
	must(t, err)
	closeLater(t, k.origin)
	k.origin.Throttle(killRate)
	return k
}

const killHost = "kill.test"

func (k *killings) start(t *testing.T) (*process, strict) {
	t.Helper()
	host := config.MirrorHost{Host: killHost, Upstreams: []config.UpstreamConfiguration{{Name: "first", URL: k.origin.URL}}}
	p := start(t, configuration(k.directory, time.Hour, host))
	return p, newStrict(p.address, killHost)
}

// round is one life of the proxy: it serves what it had, clients pull, and it is killed at some moment.
func (k *killings) round(t *testing.T, i int) {
	t.Helper()
	if i%4 == 0 {
		image, err := k.registry.PushImage(fmt.Sprintf("team/kill%d", i), "v1", uint64(i), killSizes...)
		must(t, err)
		k.images = append(k.images, image)
	}
	p, client := k.start(t)
	k.checkKept(t, client)
	image := k.images[len(k.images)-1]
	ctx, cancel := context.WithCancel(t.Context())
	var group errgroup.Group
	for range 3 {
		group.Go(func() error { k.pull(ctx, client, image); return nil })
	}
	for range 3 {
		offset := k.random.Int64N(int64(killSizes[0]))
		group.Go(func() error { k.pullRange(ctx, client, image, offset); return nil })
	}
	moment := time.NewTimer(time.Duration(k.random.Int64N(int64(700 * time.Millisecond))))
	<-moment.C
	p.kill()
	cancel()
	_ = group.Wait() // no function of it fails
	client.client.CloseIdleConnections()
	for _, problem := range k.wrongs {
		t.Error(problem)
	}
}

// pull gets every object of an image.
func (k *killings) pull(ctx context.Context, client strict, image *origin.Image) {
	if client.resolve(ctx, image) != right {
		return
	}
	for _, d := range image.Descriptors {
		k.stream(ctx, client, image, d, 0)
	}
}

// pullRange gets a range of the largest layer, to its end.
func (k *killings) pullRange(ctx context.Context, client strict, image *origin.Image, offset int64) {
	largest := slices.MaxFunc(image.Descriptors, func(a, b ocispec.Descriptor) int { return cmp.Compare(a.Size, b.Size) })
	k.stream(ctx, client, image, largest, offset)
}

// stream gets an object from an offset on and holds that what comes is right as far as it comes, and that it is whole
// when it ends well.
func (k *killings) stream(ctx context.Context, client strict, image *origin.Image, d ocispec.Descriptor, offset int64) {
	resp, err := client.open(ctx, image, d, offset)
	if err != nil {
		return // killed, or not started
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode >= http.StatusMultipleChoices {
		return
	}
	want, buffer := image.Content[d.Digest][offset:], make([]byte, 128<<10)
	for err == nil {
		var n int
		n, err = resp.Body.Read(buffer)
		if n > len(want) || !bytes.Equal(buffer[:n], want[:n]) {
			k.wrong("%s: a wrong byte among the %d before the last %d", d.Digest, n, len(want))
			return
		}
		want = want[n:]
	}
	if errors.Is(err, io.EOF) && len(want) > 0 {
		k.wrong("%s ended well, and lacks its last %d bytes", d.Digest, len(want))
	}
}

func (k *killings) wrong(format string, args ...any) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.wrongs = append(k.wrongs, fmt.Sprintf(format, args...))
}

// checkKept holds that nothing committed is lost: what the store had before the kill is served without the upstream.
// Then it sees what the store has now.
func (k *killings) checkKept(t *testing.T, client strict) {
	t.Helper()
	must(t, k.origin.Fail(origin.Rule{Fault: origin.Status(429), For: origin.Everything}))
	defer func() { must(t, k.origin.Heal()) }()
	// The image that is being pulled, and one of those before it.
	for _, image := range []*origin.Image{k.images[len(k.images)-1], k.images[k.random.IntN(len(k.images))]} {
		for _, d := range image.Descriptors {
			saw := client.fetch(t.Context(), image, d)
			if k.kept[d.Digest] && saw != right {
				t.Errorf("%s of %d bytes was in the store, and after a kill: %s", d.Digest, d.Size, saw)
			}
			k.kept[d.Digest] = saw == right
		}
	}
	client.client.CloseIdleConnections()
}

// last is the life that is not ended: all images can be had, and nothing is left over.
func (k *killings) last(t *testing.T) {
	t.Helper()
	k.origin.Throttle(0)
	k.age(t)
	_, client := k.start(t)
	k.checkKept(t, client)
	for _, image := range k.images {
		if saw := awaitPull(t.Context(), client, image); saw != right {
			t.Errorf("%s after all kills: %s", image.Repository, saw)
		}
	}
	k.awaitWhole(t)
}

// awaitWhole waits until all of the images is in the store and nothing else is, and looks at it.
func (k *killings) awaitWhole(t *testing.T) {
	t.Helper()
	want := 0
	for _, image := range k.images {
		want += len(image.Content)
	}
	left := func() (files []string) {
		walk(t, filepath.Join(k.directory, "partial"), func(path string) { files = append(files, filepath.Base(path)) })
		return files
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("of %d objects %d are in the store, and of fills there are %q", want, count(t, k.directory, "blobs"), left())
		}
	})
	await(t, "everything is in the store, and no partial file is left", func() bool {
		return len(left()) == 0 && count(t, k.directory, "blobs") == want
	})
	audit(t, k.directory)
}

// age makes what kills left look so old that nobody can be writing it.
func (k *killings) age(t *testing.T) {
	t.Helper()
	old := time.Now().Add(-24 * time.Hour)
	for _, folder := range []string{"tmp", "partial"} {
		walk(t, filepath.Join(k.directory, folder), func(path string) { must(t, os.Chtimes(path, old, old)) })
	}
}

// awaitPull pulls until it is right, or patience ends.
func awaitPull(ctx context.Context, client strict, image *origin.Image) string {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, errors.New("patience ended"))
	defer cancel()
	again := time.NewTicker(100 * time.Millisecond)
	defer again.Stop()
	for {
		saw := client.pull(ctx, image)
		if saw == right || ctx.Err() != nil {
			return saw
		}
		<-again.C
	}
}

// TestKillsInOneFill kills the proxy six times in the fill of one large blob and holds that what was written is not asked
// for again, but for what each transfer was about to note. What the upstream had sent and nobody had read is not counted: how
// much that is, is up to the machine, and measured by hack/bench.
func TestKillsInOneFill(t *testing.T) {
	const (
		size  = 512 << 20
		kills = 6
		// again is what may be asked for twice: a write of each of four transfers.
		again = 4 * 256 << 10
	)
	k := newKillings(t, 1)
	image, err := k.registry.PushImage("team/large", "v1", 1, size)
	must(t, err)
	k.images = append(k.images, image)
	k.origin.Throttle(200 << 20)
	var written []origin.Span
	for i := range kills {
		p, client := k.start(t)
		ctx, cancel := context.WithCancel(t.Context())
		var group errgroup.Group
		group.Go(func() error { k.pull(ctx, client, image); return nil })
		enough := int64(size * (i + 1) / (kills + 1))
		await(t, "a part of the blob has been sent", func() bool { return k.origin.Sent() >= enough })
		p.kill()
		cancel()
		_ = group.Wait() // no function of it fails
		client.client.CloseIdleConnections()
		wantAtMost(t, i, common(written, k.origin.Spans()), again)
		written = k.written(t)
	}
	_, client := k.start(t)
	k.pull(t.Context(), client, image)
	k.awaitWhole(t)
	wantAtMost(t, kills, common(written, k.origin.Spans()), again)
	for _, problem := range k.wrongs {
		t.Error(problem)
	}
	t.Logf("%d kills in one fill of %d MiB: %.3f times the image came from the upstream", kills, size>>20, float64(k.origin.Sent())/size)
}

func wantAtMost(t *testing.T, kills int, bytes, most int64) {
	t.Helper()
	if bytes > most {
		t.Errorf("after %d kills %d bytes that had been written were asked for again, want at most %d", kills, bytes, most)
	}
}

// written is what has been written of fills.
func (k *killings) written(t *testing.T) []origin.Span {
	t.Helper()
	var written []origin.Span
	walk(t, filepath.Join(k.directory, "partial"), func(path string) {
		if filepath.Ext(path) != ".journal" {
			written = append(written, dataOf(t, path)...)
		}
	})
	return written
}

// dataOf is where a file has no holes.
func dataOf(t *testing.T, path string) []origin.Span {
	t.Helper()
	file, err := os.Open(path)
	must(t, err)
	defer func() { must(t, file.Close()) }()
	var data []origin.Span
	for end := int64(0); ; {
		start, err := file.Seek(end, unix.SEEK_DATA)
		if errors.Is(err, unix.ENXIO) {
			return data // no more of it
		}
		must(t, err)
		end, err = file.Seek(start, unix.SEEK_HOLE)
		must(t, err)
		data = append(data, origin.Span{Start: start, End: end})
	}
}

// common is how many bytes are in spans of both.
func common(one, other []origin.Span) int64 {
	var n int64
	for _, a := range one {
		for _, b := range other {
			n += max(0, min(a.End, b.End)-max(a.Start, b.Start))
		}
	}
	return n
}
