package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/registryhub/registryhub/hack/bench/contender"
	"github.com/registryhub/registryhub/hack/bench/images"
	"github.com/registryhub/registryhub/hack/bench/origin"
	"github.com/registryhub/registryhub/hack/bench/report"
	"github.com/registryhub/registryhub/hack/bench/scenario"
	"github.com/registryhub/registryhub/hack/cluster/assets"
)

func step(format string, args ...any) { fmt.Fprintf(os.Stderr, "bench: "+format+"\n", args...) }

// measure builds what is compared, measures it, prints the tables and writes the document.
func measure(ctx context.Context, o options, families []scenario.Family) (err error) {
	provider, err := assets.Find(step)
	if err != nil {
		return err
	}
	machine, err := prepare(ctx, provider)
	if err != nil {
		return err
	}
	bench, upstream, err := assemble(ctx, provider, machine, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, upstream.Stop(), os.RemoveAll(bench.Directory)) }()
	var results []report.Result
	for _, family := range families {
		err := bench.Run(ctx, family, func(result report.Result) {
			results = append(results, result)
			fmt.Printf("\n%s\n\n%s", result.Title, result.Table())
		})
		if err != nil {
			return err
		}
	}
	fmt.Printf("\n%s\n", report.Verdicts(results, contender.Ours))
	return record(provider, machine.report, results)
}

// assemble starts the upstream, and makes the place for the caches.
func assemble(ctx context.Context, provider *assets.Store, machine machine, o options) (*scenario.Bench, *contender.Server, error) {
	tree := images.Tree{Directory: filepath.Join(provider.Cache, "bench", "tree")}
	if err := os.MkdirAll(tree.Directory, 0o755); err != nil {
		return nil, nil, fmt.Errorf("making the place of the images: %w", err)
	}
	directory, err := os.MkdirTemp(filepath.Dir(tree.Directory), "work-")
	if err != nil {
		return nil, nil, fmt.Errorf("making the place of the caches: %w", err)
	}
	self, err := os.Executable()
	if err != nil {
		return nil, nil, fmt.Errorf("looking for this program: %w", err)
	}
	upstream, err := contender.StartUpstream(ctx, self, originVerb, tree.Directory, directory)
	if err != nil {
		return nil, nil, errors.Join(err, os.RemoveAll(directory))
	}
	return &scenario.Bench{
		Tree: tree, Upstream: &origin.Remote{Address: upstream.Address}, Programs: machine.programs,
		Directory: directory, Rounds: o.rounds, For: o.lasts, Version: machine.report.Versions[contender.Ours], Step: step,
	}, upstream, nil
}
