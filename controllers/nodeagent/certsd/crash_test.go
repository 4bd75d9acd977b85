package certsd

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

var errStopped = errors.New("the machine stopped")

// stoppingDisk is a real disk that stops at a step: the step is left undone, done by half, or done and its answer
// lost. After a stop nothing is done any more, unless it only fails.
type stoppingDisk struct {
	realDisk
	// stopAt is the step, from 1; 0: never.
	stopAt int
	// half writes half a file at the step; done does all of it.
	half, done bool
	// once lets the steps after it through: an I/O error, not a crash.
	once bool

	steps int
}

func (d *stoppingDisk) step(do func() error) error {
	d.steps++
	switch {
	case d.stopAt == 0 || d.steps < d.stopAt, d.once && d.steps > d.stopAt:
		return do()
	case d.steps == d.stopAt && d.done:
		return errors.Join(do(), errStopped)
	}
	return errStopped
}

func (d *stoppingDisk) Mkdir(in *os.Root, name string) error {
	return d.step(func() error { return d.realDisk.Mkdir(in, name) })
}

func (d *stoppingDisk) WriteFile(in *os.Root, name string, data []byte) error {
	if d.half && d.steps+1 == d.stopAt {
		d.steps++
		return errors.Join(d.realDisk.WriteFile(in, name, data[:len(data)/2]), errStopped)
	}
	return d.step(func() error { return d.realDisk.WriteFile(in, name, data) })
}

func (d *stoppingDisk) WriteSecret(in *os.Root, name string, data []byte) error {
	if d.half && d.steps+1 == d.stopAt {
		d.steps++
		return errors.Join(d.realDisk.WriteSecret(in, name, data[:len(data)/2]), errStopped)
	}
	return d.step(func() error { return d.realDisk.WriteSecret(in, name, data) })
}

func (d *stoppingDisk) Exchange(in *os.Root, one, other string) error {
	return d.step(func() error { return d.realDisk.Exchange(in, one, other) })
}

func (d *stoppingDisk) SyncFolder(in *os.Root, name string) error {
	return d.step(func() error { return d.realDisk.SyncFolder(in, name) })
}

func (d *stoppingDisk) Symlink(in *os.Root, target, name string) error {
	return d.step(func() error { return d.realDisk.Symlink(in, target, name) })
}

func (d *stoppingDisk) Rename(in *os.Root, from, to string) error {
	return d.step(func() error { return d.realDisk.Rename(in, from, to) })
}

func (d *stoppingDisk) Remove(in *os.Root, name string) error {
	return d.step(func() error { return d.realDisk.Remove(in, name) })
}

func (d *stoppingDisk) Sync(in *os.Root) error {
	return d.step(func() error { return d.realDisk.Sync(in) })
}

// kinds are the ways to stop.
var kinds = map[string]stoppingDisk{
	"before the step":     {},
	"half through a file": {half: true},
	"after the step":      {done: true},
	"an error, no stop":   {once: true},
	"an error, yet done":  {once: true, done: true},
}

// TestEveryHostIsWholeWhereverTheAgentStops stops the same pass at each of its steps in turn.
func TestEveryHostIsWholeWhereverTheAgentStops(t *testing.T) {
	t.Parallel()
	one := hosts("one", "docker.io", "h:5000", "gone.io", "same.io")
	two := with(hosts("two", "docker.io", "h:5000", "new.io"), hosts("one", "same.io"))
	two["docker.io"]["ca.pem"] = []byte("a second file")
	for name, tc := range map[string]struct {
		setUp    func(n node)
		old, new map[string]Files
	}{
		"the first pass ever":    {func(node) {}, nil, one},
		"a change":               {func(n node) { n.reconcile(one) }, one, two},
		"a change with leavings": {func(n node) { n.reconcile(two); n.reconcile(one) }, one, two},
		"all withdrawn":          {func(n node) { n.reconcile(one) }, one, nil},
		"after a reboot":         {func(n node) { n.reconcile(one); _ = os.RemoveAll(n.run) }, nil, one},
		"another after a reboot": {func(n node) { n.reconcile(one); _ = os.RemoveAll(n.run) }, nil, two},
	} {
		for kind, disk := range kinds {
			t.Run(name+", "+kind, func(t *testing.T) {
				t.Parallel()
				stopEverywhere(t, tc.setUp, disk, tc.old, tc.new, func(d *Directory) error {
					result, err := d.Reconcile(Desired{Hosts: tc.new})
					return errors.Join(err, result.Unswept, errors.Join(values(result.Failed)...))
				})
			})
		}
	}
}

func TestEveryHostIsWholeWhereverRestoreStops(t *testing.T) {
	t.Parallel()
	one := hosts("one", "docker.io", "h:5000")
	for kind, disk := range kinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			setUp := func(n node) { n.reconcile(hosts("two", "docker.io")); n.reconcile(one) }
			stopEverywhere(t, setUp, disk, one, nil, (*Directory).Restore)
		})
	}
}

func stopEverywhere(t *testing.T, setUp func(node), disk stoppingDisk, before, after map[string]Files, run func(*Directory) error) {
	t.Helper()
	for at := 1; ; at++ {
		n := newNode(t)
		setUp(n)
		stopping := disk
		stopping.stopAt = at
		d := n.directory()
		d.disk = &stopping
		err := run(d)
		n.mustBeWhole(fmt.Sprintf("stopped at step %d", at), before, after)
		if stopping.steps < at {
			if err != nil || at < 3 {
				t.Errorf("the undisturbed pass of %d steps: %v", stopping.steps, err)
			}
			return
		}
		if !errors.Is(err, errStopped) {
			t.Errorf("step %d failed and nobody was told: %v", at, err)
		}
		n.recover(after)
	}
}

// mustBeWhole holds that containerd finds for every host either all of the old files or all of the new ones.
func (n node) mustBeWhole(when string, before, after map[string]Files) {
	n.tb.Helper()
	for host := range with(before, after) {
		got := n.sees(host)
		if !cmp.Equal(got, before[host], cmpopts.EquateEmpty()) && !cmp.Equal(got, after[host], cmpopts.EquateEmpty()) {
			n.tb.Errorf("%s: %s has neither the old files nor the new: %q", when, host, got)
		}
	}
}

// recover is the agent started again: all is as wanted, and nothing is left of the attempt before.
func (n node) recover(desired map[string]Files) {
	n.tb.Helper()
	n.reconcile(desired)
	n.mustSee(desired)
	n.reconcile(desired)
	n.mustBeTidy(desired)
}

func values(failed map[string]error) []error {
	var errs []error
	for err := range maps.Values(failed) {
		errs = append(errs, err)
	}
	return errs
}

// TestAnyHistoryOfStopsLeavesWholeHosts draws changes, stops and reboots in any order.
func TestAnyHistoryOfStopsLeavesWholeHosts(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		n := newNode(t)
		now := map[string]Files{}
		for range rapid.IntRange(1, 8).Draw(rt, "passes") {
			next := anyDesired(rt)
			if rapid.IntRange(0, 9).Draw(rt, "reboot") == 0 {
				_ = os.RemoveAll(n.run)
			}
			before := map[string]Files{}
			for host := range with(now, next) {
				before[host] = n.sees(host)
			}
			d := n.directory()
			d.disk = &stoppingDisk{
				stopAt: rapid.IntRange(0, 20).Draw(rt, "step"),
				half:   rapid.Bool().Draw(rt, "half"),
				done:   rapid.Bool().Draw(rt, "done"),
				once:   rapid.Bool().Draw(rt, "once"),
			}
			_, _ = d.Reconcile(Desired{Hosts: next})
			n.mustBeWhole("in a history", before, next)
			now = with(now, next)
		}
		last := anyDesired(rt)
		n.recover(last)
		if t.Failed() {
			rt.FailNow()
		}
	})
}

func anyDesired(t *rapid.T) map[string]Files {
	names := rapid.SliceOfDistinct(rapid.SampledFrom([]string{"a.io", "b.io:5000", "[fd00::1]:5000"}), rapid.ID).Draw(t, "hosts")
	return hosts(rapid.SampledFrom([]string{"one", "two", "three"}).Draw(t, "content"), names...)
}
