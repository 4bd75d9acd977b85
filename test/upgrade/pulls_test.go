package upgrade

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/registryhub/registryhub/controllers/nodeagent/cri"
	"github.com/registryhub/registryhub/hack/testbed"
)

// pulls are what one node pulled, one image after the other.
type pulls struct {
	node     string
	took     []time.Duration
	failures []error
}

// keepPulling has every node pull, as kubelet does, until the returned function is called.
func keepPulling(t *testing.T) (stop func() []*pulls) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var all []*pulls
	var running sync.WaitGroup
	for _, node := range bed.Nodes {
		runtime := runtimeOf(t, node)
		one := &pulls{node: node.Name}
		all = append(all, one)
		running.Go(func() { one.run(ctx, runtime) })
	}
	t.Cleanup(cancel)
	return func() []*pulls {
		cancel()
		running.Wait()
		return all
	}
}

func runtimeOf(t *testing.T, node testbed.Node) *cri.Client {
	t.Helper()
	socket, err := bed.RuntimeSocket(t.Context(), node.Name)
	if err != nil {
		t.Fatal(err)
	}
	client, err := cri.New(socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// run pulls in turn, and has each image forgotten, so that it is pulled anew. A pull that the end breaks off does not count.
func (p *pulls) run(ctx context.Context, runtime *cri.Client) {
	for i := 0; ctx.Err() == nil; i++ {
		reference := fmt.Sprintf("%s/%s:v%d", host, repository, i%tags)
		began := time.Now()
		_, err := runtime.Pull(ctx, reference)
		if ctx.Err() != nil {
			return
		}
		p.took = append(p.took, time.Since(began))
		if err = errors.Join(err, runtime.Remove(context.WithoutCancel(ctx), reference)); err != nil {
			p.failures = append(p.failures, fmt.Errorf("%s, pull %d: %w", p.node, i, err))
		}
	}
}

// String tells how it went.
func (p *pulls) String() string {
	if len(p.took) == 0 {
		return p.node + " pulled nothing"
	}
	return fmt.Sprintf("%s: %d pulls, %d failed, the slowest took %s", p.node, len(p.took), len(p.failures), slices.Max(p.took).Round(time.Millisecond))
}
