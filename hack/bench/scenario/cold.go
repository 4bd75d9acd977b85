package scenario

import (
	"context"
	"crypto/sha256"
	"runtime"
	"syscall"
	"time"

	"github.com/registryhub/registryhub/hack/bench/contender"
	"github.com/registryhub/registryhub/hack/bench/images"
	"github.com/registryhub/registryhub/hack/bench/origin"
	"github.com/registryhub/registryhub/hack/bench/report"
)

// cpuLessHashing is the CPU per GiB without what SHA-256 costs, which only some of them compute.
const cpuLessHashing = "cpuLessHashing"

// fetchers are those that fetch, and the upstream itself, which is their measure.
var fetchers = []string{contender.Ours, contender.ProxyCache, contender.Distribution, contender.Direct}

// cold are pulls of an image that is not in the cache.
func cold() Family {
	return Family{
		Name: "cold", Title: "Cold pulls", Contenders: fetchers,
		Cases: []Case{
			{
				Name: "cold-125", Title: "cold pull, 125 MB/s a connection", Speed: origin.Speed{Rate: 125e6},
				Measure: pull("cold", 128<<20, 64<<20, 32<<20, 32<<20), Columns: coldColumns(),
				Targets: []report.Target{
					{What: "total at most 1.05x direct", Metric: total, Against: contender.Direct, Factor: 1.05},
					{What: "first byte at most 10 ms later", Metric: firstByte, Against: contender.Direct, Factor: 1, Plus: 0.010, Unit: report.Milliseconds},
				},
			},
			{
				Name: "cold-fast", Title: "cold pull, upstream as fast as loopback",
				Measure: pull("cold", 128<<20, 64<<20, 32<<20, 32<<20), Columns: coldColumns(),
				Targets: []report.Target{
					{What: "total below proxy_cache", Metric: total, Against: contender.ProxyCache, Factor: 1},
					{What: "CPU at most that of proxy_cache and the hashing", Metric: cpuLessHashing, Against: contender.ProxyCache, Factor: 1},
				},
			},
		},
	}
}

// layer is one large layer from far away.
func layer() Family {
	return Family{
		Name: "layer", Title: "One large layer from a slow upstream", Contenders: fetchers,
		Cases: []Case{{
			Name: "layer-512M", Title: "cold 512 MiB layer, 50 ms and 40 MB/s a connection", Rounds: 1,
			Speed:   origin.Speed{Rate: 40e6, Latency: 50 * time.Millisecond},
			Measure: pull("layer", 512<<20), Columns: coldColumns(),
			Targets: []report.Target{{What: "total at most 0.5x direct", Metric: total, Against: contender.Direct, Factor: 0.5}},
		}},
	}
}

func coldColumns() []report.Column {
	return append(ratio("total", total, report.Milliseconds, contender.Direct),
		report.Column{Title: "first byte", Metric: firstByte, Unit: report.Milliseconds},
		report.Column{Title: "upstream bytes", Metric: upstreamBytes, Unit: report.Ratio},
		report.Column{Title: "CPU per GiB", Metric: cpuPerGiB, Unit: report.SecondsPerGiB},
		report.Column{Title: "CPU less hashing", Metric: cpuLessHashing, Unit: report.SecondsPerGiB})
}

// pull measures one pull of an image.
func pull(name string, layers ...int64) func(context.Context, *Bench, *contender.Server) (report.Figures, error) {
	return func(ctx context.Context, b *Bench, s *contender.Server) (report.Figures, error) {
		image, err := b.Tree.Image(name, layers...)
		if err != nil {
			return nil, err
		}
		before, err := s.CPU()
		if err != nil {
			return nil, err
		}
		pulled, err := s.Pull(ctx, image)
		if err != nil {
			return nil, err
		}
		figures := report.Figures{total: pulled.End.Seconds(), firstByte: pulled.FirstByte.Seconds()}
		return figures, b.costs(ctx, s, image, before, figures)
	}
}

// costs adds what a pull has cost, when all of it is done.
func (b *Bench) costs(ctx context.Context, s *contender.Server, image images.Image, before time.Duration, figures report.Figures) error {
	if err := settle(ctx, s); err != nil {
		return err
	}
	counts, err := b.Upstream.Counts(ctx)
	if err != nil {
		return err
	}
	size := float64(image.Size())
	figures[upstreamBytes] = float64(counts.Bytes()) / size
	after, err := s.CPU()
	if err != nil || after == 0 {
		return err
	}
	figures[cpuPerGiB] = (after - before).Seconds() / (size / gib)
	figures[cpuLessHashing] = figures[cpuPerGiB]
	if s.Hashes() {
		figures[cpuLessHashing] -= hashing()
	}
	return nil
}

// hashing is what SHA-256 costs on this machine, in seconds of a processor per GiB. Time that others had the processor is not
// counted, as it is not in what it is subtracted from.
func hashing() float64 {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	buffer := make([]byte, 1<<20)
	hash := sha256.New()
	began := threadTime()
	for range 128 {
		_, _ = hash.Write(buffer)
	}
	return (threadTime() - began).Seconds() * 8
}

func threadTime() time.Duration {
	var usage syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_THREAD, &usage) // it cannot fail with a known argument
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
