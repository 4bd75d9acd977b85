package faults

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	config "github.com/registryhub/registryhub/api/config/v1alpha1"
)

// column is one way to meet a fault.
type column struct {
	name string
	// upstreams is how many there are; the first one fails.
	upstreams int
	// warm: the image is cached, and its tag must be revalidated.
	warm bool
	// node that pulls; nil is the client that knows the hub alone.
	node node
	// ranged: the node fetches layers in ranges at once. When one of them fails, its pull does.
	ranged bool
	want   func(want) string
}

func columns(nodes map[string]node) []column {
	all := []column{
		{name: "one upstream", upstreams: 1, want: func(w want) string { return w.one }},
		{name: "two upstreams", upstreams: 2, want: func(w want) string { return w.two }},
		{name: "cached, tag expired", upstreams: 1, warm: true, want: func(w want) string { return w.expired }},
	}
	for name, n := range nodes {
		ranged := n == node(modules2{buffer: rangeSize})
		all = append(all,
			column{name: name + ", one upstream", upstreams: 1, node: n, ranged: ranged, want: func(w want) string { return w.nodeOne }},
			column{name: name + ", two upstreams", upstreams: 2, node: n, ranged: ranged, want: func(w want) string { return w.nodeTwo }})
	}
	return all
}

// tries reports whether a row is tried in the column. Large blobs are dear, and so are the programs of real nodes, which see
// what their code sees.
func (c column) tries(r row) bool {
	_, dear := c.node.(*daemon)
	switch {
	case !strings.Contains(r.name, *only), r.large > 0 && c.node != nil && !*long:
		return false
	default:
		return !dear || c.upstreams == 1 || *long
	}
}

func (c column) wants(w want) string {
	wanted := c.want(w)
	if wanted == "" && c.node != nil {
		return byHub
	}
	if wanted == "" {
		return right
	}
	if c.ranged && strings.Contains(wanted, byUpstream) {
		wanted += or + failed + or + failed + ", then " + byUpstream + or + failed + ", then " + byHub
	}
	return wanted
}

// cell is a row of the table in a column.
type cell struct {
	row
	column
	*site
	proxy *process

	saw, want string
	took      time.Duration
	// recovered is how long it took to be well after the fault.
	recovered time.Duration
	problems  []string
	// errs are those of a node's pulls.
	errs []error
}

func (c *cell) name() string { return c.row.name + "/" + c.column.name }

func (c *cell) problem(format string, args ...any) {
	c.problems = append(c.problems, fmt.Sprintf(format, args...))
}

// rangeSize is small enough that a layer is fetched in several ranges at once.
const rangeSize = 48 << 10

// parallel is how many cells are tried at once, beside those that wait for a time-out, which are few and cost nothing, and
// those of a large blob, parallelLarge of which are enough for a disk.
const parallel, parallelLarge = 28, 4

// TestMatrix tries every fault with every client, in one proxy for those whose tags are believed and another for those
// that are revalidated each time.
func TestMatrix(t *testing.T) {
	certs := t.TempDir()
	nodes := map[string]node{
		"containerd 1.7's code": modules1{}, "containerd 2.4's code": modules2{},
		"containerd 2.4's code, parallel ranges": modules2{buffer: rangeSize},
		"containerd 1.6":                         startDaemon(t, "1.6"), "containerd 2.4": startDaemon(t, "2.4"),
	}
	cells := makeCells(t, newLand(t), columns(nodes))
	for _, warm := range []bool{false, true} {
		startFor(t, cells, warm)
	}
	for _, c := range cells {
		must(t, wire(certs, c.host, c.proxy.address, c.direct.URL))
	}
	var all errgroup.Group
	for _, group := range []struct {
		atOnce int
		has    func(*cell) bool
	}{
		{-1, func(c *cell) bool { return c.waits }},
		{parallelLarge, func(c *cell) bool { return !c.waits && c.large > 0 }},
		{parallel, func(c *cell) bool { return !c.waits && c.large == 0 }},
	} {
		all.Go(func() error {
			var tried errgroup.Group
			tried.SetLimit(group.atOnce)
			for _, c := range cells {
				if group.has(c) {
					tried.Go(func() error { return c.try(t.Context(), certs) })
				}
			}
			return tried.Wait()
		})
	}
	must(t, all.Wait())
	for _, c := range cells {
		t.Run(c.name(), func(t *testing.T) { c.report(t) })
	}
	t.Log("\n" + slowest(cells))
}

func makeCells(t *testing.T, l *land, columns []column) []*cell {
	t.Helper()
	var cells []*cell
	for _, r := range table() {
		for _, col := range columns {
			if !col.tries(r) {
				continue
			}
			c := &cell{row: r, column: col, want: col.wants(r.want)}
			c.site = l.newSite(t, c.name(), r, col.upstreams)
			cells = append(cells, c)
		}
	}
	return cells
}

// startFor starts the proxy of the warm or the cold cells.
func startFor(t *testing.T, cells []*cell, warm bool) {
	t.Helper()
	var hosts []config.MirrorHost
	for _, c := range cells {
		if c.warm == warm {
			hosts = append(hosts, c.hosts)
		}
	}
	revalidateAfter, directory := time.Hour, t.TempDir()
	if warm {
		revalidateAfter = 0
	}
	t.Cleanup(func() { audit(t, directory) })
	proxy := start(t, configuration(directory, revalidateAfter, hosts...))
	for _, c := range cells {
		if c.warm == warm {
			c.proxy = proxy
		}
	}
}

func (c *cell) try(ctx context.Context, certs string) error {
	client := newStrict(c.proxy.address, c.host)
	if c.warm && !c.lacksChild {
		if saw := client.pull(ctx, c.image); saw != right {
			c.problem("before the fault: %s", saw)
		}
	}
	if err := c.breakDown(); err != nil {
		return err
	}
	began := time.Now()
	if c.node != nil {
		c.saw = c.pullAgain(ctx, certs)
	} else {
		c.saw = client.pull(ctx, c.image)
	}
	c.took = time.Since(began)
	if err := c.heal(); err != nil {
		return err
	}
	if c.lacksChild {
		return nil
	}
	c.recover(ctx, func() string { return client.pull(ctx, c.image) }, right)
	if c.node != nil {
		c.recover(ctx, func() string { return c.pullOnce(ctx, certs) }, byHub)
	}
	return c.tryCached(ctx, client)
}

// nodeTries is how often a node pulls at least before it is said to fail, and does so as long as a fault may be felt after its
// end: a containerd that has all of a wrong blob commits that again, in vain (remotes/handlers.go), until its garbage collection
// has taken it away. kubelet goes on for ever.
const nodeTries = 4

// pullAgain pulls as a node does, which tries again when a pull failed.
func (c *cell) pullAgain(ctx context.Context, certs string) string {
	again := time.NewTicker(500 * time.Millisecond)
	defer again.Stop()
	began := time.Now()
	for try := 0; try < nodeTries || time.Since(began) < soon; try++ {
		switch came := c.pullOnce(ctx, certs); {
		case came != failed && try > 0:
			return failed + ", then " + came
		case came != failed:
			return came
		}
		<-again.C
	}
	return failed
}

// pullOnce pulls, and keeps the error.
func (c *cell) pullOnce(ctx context.Context, certs string) string {
	came, err := saw(ctx, c.node, certs, c.host, c.image, c.direct)
	if err != nil {
		c.errs = append(c.errs, err)
	}
	return came
}

// soon is how long a fault may be felt after its end: seconds, on a machine that is busy.
const soon = 15 * time.Second

// recover holds that all is well soon after the fault: that a pull comes to what it should.
func (c *cell) recover(ctx context.Context, pull func() string, want string) {
	began, again := time.Now(), time.NewTicker(200*time.Millisecond)
	defer again.Stop()
	saw := pull()
	for ; saw != want && time.Since(began) < soon && ctx.Err() == nil; saw = pull() {
		<-again.C
	}
	c.recovered = max(c.recovered, time.Since(began))
	if saw != want {
		c.problem("%s after the fault: %s", soon, saw)
	}
}

// tryCached holds that what is cached needs no upstream.
func (c *cell) tryCached(ctx context.Context, client strict) error {
	if c.warm {
		return nil
	}
	if err := c.breakDown(); err != nil {
		return err
	}
	c.origin.Asked(c.image.Repository)
	if saw := client.pull(ctx, c.image); saw != right {
		c.problem("cached: %s", saw)
	}
	if asked := c.origin.Asked(c.image.Repository); len(asked) > 0 {
		c.problem("cached, and the upstream was asked %q", asked)
	}
	return c.heal()
}

func (c *cell) report(t *testing.T) {
	t.Helper()
	if !slices.Contains(strings.Split(c.want, or), c.saw) {
		t.Errorf("saw %q, want %q (%s)", c.saw, c.want, c.took.Round(time.Millisecond))
	}
	for _, problem := range c.problems {
		t.Error(problem)
	}
	if t.Failed() && len(c.errs) > 0 {
		t.Logf("the node's pulls failed %d times, the last with: %v", len(c.errs), c.errs[len(c.errs)-1])
	}
}

// slowest is a list of the cells that took longest, and of those that took longest to recover.
func slowest(cells []*cell) string {
	var text strings.Builder
	for title, by := range map[string]func(*cell) time.Duration{
		"slowest": func(c *cell) time.Duration { return c.took }, "slowest to recover": func(c *cell) time.Duration { return c.recovered },
	} {
		slices.SortFunc(cells, func(a, b *cell) int { return int(by(b) - by(a)) })
		fmt.Fprintf(&text, "%s:\n", title)
		for _, c := range cells[:min(10, len(cells))] {
			fmt.Fprintf(&text, "  %8s  %s: %s\n", by(c).Round(time.Millisecond), c.name(), c.saw)
		}
	}
	return text.String()
}
