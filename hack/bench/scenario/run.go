package scenario

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"syscall"
	"time"

	"github.com/registryhub/registryhub/hack/bench/contender"
	"github.com/registryhub/registryhub/hack/bench/origin"
	"github.com/registryhub/registryhub/hack/bench/report"
)

// Run measures a family. Done is called with each result.
func (b *Bench) Run(ctx context.Context, f Family, done func(report.Result)) (err error) {
	if f.Note != "" {
		done(report.Result{Family: f.Name, Name: f.Name, Title: f.Title, Version: b.Version, At: time.Now().UTC(), Note: f.Note})
		return nil
	}
	servers := map[string]*running{}
	defer func() {
		for _, server := range servers {
			err = errors.Join(err, server.end())
		}
	}()
	if f.Prepare != nil {
		if servers, err = b.prepared(ctx, f); err != nil {
			return err
		}
	}
	for _, c := range f.Cases {
		result, err := b.measure(ctx, f, c, servers)
		if err != nil {
			return fmt.Errorf("measuring %s: %w", c.Name, err)
		}
		done(result)
	}
	return nil
}

// running is a contender, and the directory that ends with it.
type running struct {
	*contender.Server

	directory string
	stop      func() error
}

func (r *running) end() error {
	err := r.stop()
	return errors.Join(err, os.RemoveAll(r.directory))
}

func (b *Bench) start(ctx context.Context, f Family, name string) (*running, error) {
	directory, err := os.MkdirTemp(b.Directory, "run-")
	if err != nil {
		return nil, fmt.Errorf("making a directory for %s: %w", name, err)
	}
	place := contender.Place{Programs: b.Programs, Directory: directory, Upstream: b.Upstream.Address, Tree: b.Tree.Directory, TLS: f.TLS, Push: f.Push}
	if f.Start != nil {
		server, stop, err := f.Start(ctx, name, place)
		if err != nil {
			return nil, err
		}
		return &running{Server: server, directory: directory, stop: stop}, nil
	}
	server, err := contender.Start(ctx, name, place)
	if err != nil {
		return nil, err
	}
	return &running{Server: server, directory: directory, stop: func() error { return server.Stop() }}, nil
}

func (b *Bench) prepared(ctx context.Context, f Family) (map[string]*running, error) {
	servers := map[string]*running{}
	if err := b.Upstream.Set(ctx, origin.Speed{}); err != nil {
		return servers, err
	}
	for _, name := range f.Contenders {
		b.Step("%s: preparing %s", f.Name, name)
		server, err := b.start(ctx, f, name)
		if err != nil {
			return servers, err
		}
		servers[name] = server
		if err := f.Prepare(ctx, b, server.Server); err != nil {
			return servers, fmt.Errorf("preparing %s for %s: %w", name, f.Name, err)
		}
	}
	return servers, nil
}

// measure measures all contenders, one after the other, and that again and again, so that what else the machine does
// meets all of them.
func (b *Bench) measure(ctx context.Context, f Family, c Case, servers map[string]*running) (report.Result, error) {
	runs := map[string][]report.Figures{}
	rounds := b.Rounds
	if c.Rounds > 0 {
		rounds = min(rounds, c.Rounds)
	}
	for round := first(rounds, f); round <= rounds; round++ {
		for _, name := range f.Contenders {
			b.Step("%s: run %d of %d: %s", c.Name, round, rounds, name)
			figures, err := b.once(ctx, f, c, name, servers[name])
			if err != nil {
				return report.Result{}, fmt.Errorf("%s: %w", name, err)
			}
			if round > 0 {
				runs[name] = append(runs[name], figures)
			}
		}
	}
	result := report.Result{
		Family: f.Name, Name: c.Name, Title: c.Title, Version: b.Version, At: time.Now().UTC().Truncate(time.Second), Runs: rounds,
		Of: c.Rows, Columns: append(slices.Clone(c.Columns), memory), Targets: c.Targets,
	}
	for _, name := range f.Contenders {
		result.Rows = append(result.Rows, report.Row{Contender: name, Medians: report.Medians(runs[name])})
	}
	return result, nil
}

// first is the round that is measured first: 1, or 0 for one that does not count. A virtual machine's memory is only there when it has
// been used, which costs the first to use it as much as what is measured. Servers that are prepared have used theirs.
func first(rounds int, f Family) int {
	if rounds > 1 && f.Prepare == nil {
		return 0
	}
	return 1
}

func (b *Bench) once(ctx context.Context, f Family, c Case, name string, server *running) (figures report.Figures, err error) {
	if server == nil {
		if server, err = b.start(ctx, f, name); err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, server.end()) }()
	}
	if err := b.Upstream.Set(ctx, c.Speed); err != nil {
		return nil, err
	}
	syscall.Sync() // what others have written is no longer under way to the disk
	if figures, err = c.Measure(ctx, b, server.Server); err != nil {
		return nil, err
	}
	peak, err := server.PeakMemory()
	if peak > 0 {
		figures[peakMemory] = float64(peak)
	}
	return figures, err
}
