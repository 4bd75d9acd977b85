package faults

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	config "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/test/localregistry"
)

const (
	pushKills = 12
	pushSize  = 4 << 20
	pushChunk = 200 << 10
)

// TestAReplicaThatIsKilledLosesNothingThatWasAcknowledged pushes blobs in chunks, to two replicas in turn, and kills one of them at
// some moment of each; the push goes on at the other where that one says it is.
func TestAReplicaThatIsKilledLosesNothingThatWasAcknowledged(t *testing.T) {
	for name, newPlace := range map[string]func(testing.TB, string) localregistry.Place{
		"on a volume": localregistry.NewPlace, "on a bucket": localregistry.NewBucket,
	} {
		t.Run(name, func(t *testing.T) { pushAndKill(t, newPlace(t, "")) })
	}
}

func pushAndKill(t *testing.T, place localregistry.Place) {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	p := &pushes{place: place, random: rand.New(rand.NewPCG(seed, 0)), client: &http.Client{Transport: &http.Transport{}}}
	t.Cleanup(p.client.CloseIdleConnections)
	survivor := p.start(t)
	var blobs [][]byte
	for range pushKills {
		victim := p.start(t)
		blobs = append(blobs, p.push(t, victim, survivor))
		for _, blob := range blobs {
			p.check(t, survivor, blob)
		}
	}
	after := p.start(t)
	for _, blob := range blobs {
		p.check(t, after, blob)
	}
}

// pushes are a place that replicas share, and a client of theirs.
type pushes struct {
	place  localregistry.Place
	random *rand.Rand
	client *http.Client
}

func (p *pushes) start(t *testing.T) *process {
	t.Helper()
	return start(t, &config.ProxyConfiguration{
		Hub:    "faults",
		Listen: config.ListenConfiguration{Registry: "127.0.0.1:0", Diagnostics: "127.0.0.1:0"},
		Store:  p.place.Store(t),
		Local:  &config.LocalConfiguration{KeysDirectory: p.place.Keys, Access: config.LocalAccess{Anonymous: "Push"}},
	})
}

// do sends a request to a replica; no answer is status 0.
func (p *pushes) do(t *testing.T, to *process, method, path string, body []byte, offset int) (*http.Response, []byte) {
	t.Helper()
	request, err := http.NewRequestWithContext(context.WithoutCancel(t.Context()), method, "http://"+to.address+path, bytes.NewReader(body))
	must(t, err)
	if method == http.MethodPatch {
		request.Header.Set("Content-Range", fmt.Sprintf("%d-%d", offset, offset+len(body)-1))
	}
	response, err := p.client.Do(request)
	if err != nil {
		return &http.Response{Header: http.Header{}}, nil
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return &http.Response{Header: http.Header{}}, nil
	}
	return response, text
}

// push pushes a blob, and kills a replica at some moment of it.
func (p *pushes) push(t *testing.T, victim, survivor *process) []byte {
	t.Helper()
	blob := make([]byte, pushSize)
	for i := range blob {
		blob[i] = byte(p.random.Uint32())
	}
	begun, _ := p.do(t, victim, http.MethodPost, "/v2/team/app/blobs/uploads/", nil, 0)
	at, acknowledged := begun.Header.Get("Location"), 0
	if begun.StatusCode != http.StatusAccepted {
		t.Fatalf("beginning: got %d", begun.StatusCode)
	}
	moment := time.AfterFunc(time.Duration(p.random.Int64N(int64(150*time.Millisecond))), victim.kill)
	defer moment.Stop()
	for turn := 0; acknowledged < len(blob); turn++ {
		to := []*process{victim, survivor}[turn%2]
		end := min(acknowledged+pushChunk, len(blob))
		added, text := p.do(t, to, http.MethodPatch, at, blob[acknowledged:end], acknowledged)
		switch added.StatusCode {
		case http.StatusAccepted:
			at, acknowledged = added.Header.Get("Location"), end
		case 0, http.StatusRequestedRangeNotSatisfiable: // what the dead had sent may have come after it was asked for
			at, acknowledged = p.goOn(t, survivor, at, acknowledged)
		default:
			t.Fatalf("adding at byte %d: got %d %s", acknowledged, added.StatusCode, text)
		}
	}
	d := digest.FromBytes(blob)
	finished, text := p.do(t, survivor, http.MethodPut, at+"?digest="+d.String(), nil, 0)
	if finished.StatusCode != http.StatusCreated {
		t.Fatalf("finishing: got %d %s", finished.StatusCode, text)
	}
	return blob
}

// goOn asks how far an upload is, which is no less than what was acknowledged.
func (p *pushes) goOn(t *testing.T, survivor *process, at string, acknowledged int) (string, int) {
	t.Helper()
	told, _ := p.do(t, survivor, http.MethodGet, at, nil, 0)
	_, last, _ := strings.Cut(told.Header.Get("Range"), "-")
	end, err := strconv.Atoi(last)
	if told.StatusCode != http.StatusNoContent || err != nil {
		t.Fatalf("asking how far it is: got %d, range %q", told.StatusCode, told.Header.Get("Range"))
	}
	if end++; end == 1 {
		end = 0 // there is no form for nothing
	}
	if end != acknowledged && end != min(acknowledged+pushChunk, pushSize) {
		t.Fatalf("%d bytes were acknowledged, and %d are there", acknowledged, end)
	}
	return told.Header.Get("Location"), end
}

func (p *pushes) check(t *testing.T, replica *process, blob []byte) {
	t.Helper()
	d := digest.FromBytes(blob)
	if got, content := p.do(t, replica, http.MethodGet, "/v2/team/app/blobs/"+d.String(), nil, 0); got.StatusCode != http.StatusOK || !bytes.Equal(content, blob) {
		t.Fatalf("%s: got %d, %d bytes", d, got.StatusCode, len(content))
	}
}
