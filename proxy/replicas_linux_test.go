package proxy_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/go-logr/logr"
	"github.com/opencontainers/go-digest"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/registryhub/registryhub/proxy/evict"
	"github.com/registryhub/registryhub/proxy/evict/sweep"
	"github.com/registryhub/registryhub/proxy/metrics"
	"github.com/registryhub/registryhub/proxy/store"
	"github.com/registryhub/registryhub/proxy/store/fsstore"
	"github.com/registryhub/registryhub/proxy/store/storetest"
)

// replica is a store on a volume that others have too: all of them see how full it is before the first makes room.
type replica struct {
	*fsstore.Store
	measuring sync.Once
	measured  *sync.WaitGroup
}

func (r *replica) Usage(ctx context.Context) (store.Usage, error) {
	usage, err := r.Store.Usage(ctx)
	r.measuring.Do(func() {
		r.measured.Done()
		r.measured.Wait()
	})
	return usage, err
}

func TestReplicasOnOneVolumeEvictAsMuchAsOneWould(t *testing.T) {
	dir, here := storetest.SmallDisk(t, "size=1m")
	if !here {
		return
	}
	const high, low, object = 1 << 20 * 9 / 10, 1 << 20 * 8 / 10, 8 << 10
	content := openReplica(t, dir)
	fillTo(t, content, high+object, object)
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		var running, measured sync.WaitGroup
		for range 3 {
			measured.Add(1)
			sweeper := sweep.New(sweep.Options{
				Hub: "hub", Store: &replica{Store: openReplica(t, dir), measured: &measured}, Logger: logr.Discard(),
				Policy: evict.Policy{HighWatermarkPercent: 90, LowWatermarkPercent: 80}, Metrics: metrics.New(prometheus.NewRegistry()),
			})
			running.Go(func() { sweeper.Run(ctx) })
		}
		synctest.Wait()
		stop()
		running.Wait()
	})
	usage, err := content.Usage(t.Context())
	must(t, err)
	if usage.Used > low || usage.Used < low-2*object {
		t.Errorf("%d bytes are left, want %d or a little less", usage.Used, low)
	}
}

func openReplica(t *testing.T, dir string) *fsstore.Store {
	t.Helper()
	s, err := fsstore.Open(dir)
	must(t, err)
	t.Cleanup(s.Close)
	return s
}

// fillTo puts objects that take so much into a store until so much of it is used.
func fillTo(t *testing.T, s *fsstore.Store, used int64, object int) {
	t.Helper()
	for i := byte(0); ; i++ {
		if usage, err := s.Usage(t.Context()); err != nil || usage.Used >= used {
			must(t, err)
			return
		}
		data := make([]byte, object-100) // less than what it takes by its trailer
		data[0] = i
		proof, err := store.Prove(digest.FromBytes(data), data)
		must(t, err)
		must(t, s.Put(t.Context(), proof, data))
	}
}
