package scenario

import (
	"context"

	"github.com/registryhub/registryhub/hack/bench/client"
	"github.com/registryhub/registryhub/hack/bench/contender"
	"github.com/registryhub/registryhub/hack/bench/images"
	"github.com/registryhub/registryhub/hack/bench/report"
)

// smallClients ask for small objects at once.
const smallClients = 32

// bound of the CPU per request, in that of nginx serving files.
const bound = 2.5

// small are manifests by digest, and small blobs.
func small() Family {
	return Family{
		Name: "small", Title: "Small objects from the cache", Contenders: servers, Prepare: warmSmall,
		Cases: []Case{
			request("manifest", "manifest by digest, 32 clients", func(i images.Image) client.Request {
				return client.Request{Target: i.ManifestPath()}
			}),
			request("blob-4K", "4 KiB blob, 32 clients", func(i images.Image) client.Request {
				return client.Request{Target: i.BlobPath(i.Layers()[0])}
			}),
		},
	}
}

// tags are fresh ones.
func tags() Family {
	family := Family{
		Name: "tags", Title: "Fresh tags", Contenders: servers, Prepare: warmSmall,
		Cases: []Case{
			request("tag-head", "HEAD of a fresh tag, 32 clients", func(i images.Image) client.Request {
				return client.Request{Method: "HEAD", Target: i.TagPath()}
			}),
			request("tag-get", "GET of a fresh tag, 32 clients", func(i images.Image) client.Request {
				return client.Request{Target: i.TagPath()}
			}),
		},
	}
	for i := range family.Cases {
		c := &family.Cases[i]
		c.Columns = append(c.Columns, report.Column{Title: "upstream requests each", Metric: upstreamAsks, Unit: report.Ratio})
		c.Targets = append(c.Targets, report.Target{What: "no upstream request", Metric: upstreamAsks, Unit: report.Count})
	}
	return family
}

func warmSmall(ctx context.Context, b *Bench, s *contender.Server) error {
	image, err := b.smallImage()
	if err != nil {
		return err
	}
	return warm(ctx, s, image)
}

func (b *Bench) smallImage() (images.Image, error) {
	return b.Tree.Image("small", 4<<10, 8<<10, 16<<10)
}

// request is a case of one small request, asked again and again.
func request(name, title string, of func(images.Image) client.Request) Case {
	return Case{
		Name: name, Title: title,
		Measure: func(ctx context.Context, b *Bench, s *contender.Server) (report.Figures, error) {
			image, err := b.smallImage()
			if err != nil {
				return nil, err
			}
			return b.loaded(ctx, s, of(image), smallClients)
		},
		Columns: append(ratio("CPU per request", cpuPerRequest, report.Microseconds, contender.Static),
			report.Column{Title: "requests/s", Metric: requestRate, Unit: report.Count},
			report.Column{Title: "p50", Metric: p50, Unit: report.Milliseconds},
			report.Column{Title: "p99", Metric: p99, Unit: report.Milliseconds}),
		Targets: []report.Target{
			{What: "CPU per request at most 2.5x nginx static", Metric: cpuPerRequest, Against: contender.Static, Factor: bound},
			{What: "p99 at most 10 ms", Metric: p99, Plus: 0.010, Unit: report.Milliseconds},
		},
	}
}
