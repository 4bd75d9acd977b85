package pullthrough_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/registryhub/registryhub/proxy/pullthrough"
)

// clientWaits is how long containerd waits for a header.
const clientWaits = 30 * time.Second

func TestHeadersComeInTimeThoughTheBodyStalls(t *testing.T) {
	t.Parallel()
	tail := fmt.Sprintf("bytes=%d-%d", 4*step-1000, 4*step-1)
	cases := map[string]struct {
		size, sent int
		segments   pullthrough.Segments
		part       string
		status     int
	}{
		"a small blob of which nothing comes":    {size: 64 << 10, status: 503},
		"a small blob without its end":           {size: 1000, sent: 999, status: 503},
		"a range of a small blob":                {size: 1000, sent: 999, part: "bytes=10-19", status: 503},
		"a large blob of which nothing comes":    {size: 4 * step, status: 200},
		"a large blob without its end":           {size: 4 * step, sent: 4*step - 1, part: tail, status: 206},
		"a range far ahead":                      {size: 4 * step, sent: step, part: tail, status: 206},
		"a range far ahead, fetched in segments": {size: 4 * step, segments: segments, part: tail, status: 206},
	}
	var all sync.WaitGroup
	for name, tc := range cases {
		o, g := newOrigin(t), newGate(tc.sent)
		t.Cleanup(g.release)
		img := o.pushImage(t, "team/app", "1", tc.size)
		r := start(t, setup{upstreams: []string{o.URL}, segments: tc.segments})
		r.get(t, "team/app/manifests/1").want(t, 200, img.body)
		o.fail(g.fault)
		want := map[int][]byte{200: img.content, 206: img.content[max(0, tc.size-1000):]}[tc.status]
		all.Go(func() {
			status, body, err := r.whenItComes(t.Context(), g, "team/app/blobs/"+img.layer.String(), tc.part)
			if err != nil || status != tc.status || want != nil && !bytes.Equal(body, want) {
				t.Errorf("%s: got %d, %d bytes, error %v, want %d", name, status, len(body), err, tc.status)
			}
		})
	}
	all.Wait()
}

// whenItComes asks as containerd does, and has the body go on when the header is there.
func (r *rig) whenItComes(ctx context.Context, g *gate, path, part string) (status int, body []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, clientWaits)
	defer cancel()
	var headers []string
	if part != "" {
		headers = []string{"Range", part}
	}
	resp, err := r.open(ctx, http.MethodGet, path, headers...)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	g.release()
	body, err = io.ReadAll(resp.Body)
	return resp.StatusCode, body, err
}
