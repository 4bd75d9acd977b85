package scenario

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/registryhub/registryhub/hack/bench/client"
	"github.com/registryhub/registryhub/hack/bench/contender"
	"github.com/registryhub/registryhub/hack/bench/images"
	"github.com/registryhub/registryhub/hack/bench/origin"
	"github.com/registryhub/registryhub/hack/bench/report"
)

const killTimes = 6

// kills are deaths of the server in the middle of one fill.
func kills() Family {
	return Family{
		Name: "kills", Title: "kill -9 in a fill", Contenders: []string{contender.Ours, contender.ProxyCache, contender.Distribution},
		Cases: []Case{{
			Name: "kills-6", Title: "6 x kill -9 in one fill of 256 MiB", Rounds: 2, Speed: origin.Speed{Rate: 125e6}, Measure: killed,
			Columns: []report.Column{
				{Title: "total", Metric: total, Unit: report.Seconds}, {Title: "upstream bytes", Metric: upstreamBytes, Unit: report.Ratio},
			},
			Targets: []report.Target{{What: "upstream bytes at most 1.05x", Metric: upstreamBytes, Plus: 1.05, Unit: report.Ratio}},
		}},
	}
}

var errEnough = errors.New("this is as far as the server is to come")

// killed pulls one blob. The server is killed whenever the client has another seventh of it; the client then asks for
// the rest by Range, as containerd does.
func killed(ctx context.Context, b *Bench, s *contender.Server) (report.Figures, error) {
	image, err := b.Tree.Image("ranges", 256<<20)
	if err != nil {
		return nil, err
	}
	if _, err := s.Ask(ctx, client.Request{Target: image.ManifestPath()}); err != nil {
		return nil, err
	}
	began := time.Now()
	blob := image.Layers()[0]
	got := int64(0)
	for kill := range killTimes + 1 {
		enough := blob.Size * int64(kill+1) / (killTimes + 1)
		got, err = some(ctx, s, image, blob, got, enough)
		if kill == killTimes || (err != nil && !errors.Is(err, errEnough)) {
			break
		}
		if err = s.Kill(); err == nil {
			_, err = s.Restart(ctx)
		}
		if err != nil {
			break
		}
	}
	if err != nil {
		return nil, fmt.Errorf("pulling from a server that is killed, with %d bytes of %d: %w", got, blob.Size, err)
	}
	figures := report.Figures{total: time.Since(began).Seconds()}
	return figures, b.costs(ctx, s, image, 0, figures)
}

// some asks for a blob from a byte on, and leaves when it has enough.
func some(ctx context.Context, s *contender.Server, image images.Image, blob images.Blob, from, enough int64) (int64, error) {
	got := from
	_, err := s.AskSlowly(ctx, client.Request{Target: image.BlobPath(blob), First: from, Last: blob.Size - 1}, func(so client.Answer, _ int) error {
		got = from + so.Bytes
		if so.Status == http.StatusOK {
			got = max(from, so.Bytes) // the whole again: what the client has is thrown away
		}
		if got >= enough && enough < blob.Size {
			return errEnough
		}
		return nil
	})
	return got, err
}
