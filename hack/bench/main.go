// Command bench measures the proxy against what a user would otherwise run on the same machine: distribution's registry as a
// pull-through cache, nginx with proxy_cache, and, as the limit, nginx serving plain files. Everything runs on loopback, against
// one synthetic upstream, each in processes of its own. The operator's manager is measured in clusters that are played to it.
//
//	go run ./hack/bench                        # all of it, and docs/benchmarks.md
//	go run ./hack/bench --only hits,cold       # some of it; what was measured before stays in the document
//	go run ./hack/bench --list
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/registryhub/registryhub/hack/bench/images"
	"github.com/registryhub/registryhub/hack/bench/origin"
	"github.com/registryhub/registryhub/hack/bench/scenario"
)

// originVerb makes this program the synthetic upstream.
const originVerb = "origin"

// options of the command.
type options struct {
	only   string
	rounds int
	lasts  time.Duration
	list   bool
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) == 3 && args[0] == originVerb {
		return origin.New(images.Tree{Directory: args[2]}).Serve(ctx, args[1])
	}
	var o options
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.StringVar(&o.only, "only", "", "families to measure, separated by commas (default: all)")
	flags.IntVar(&o.rounds, "runs", 3, "how often each case is measured")
	flags.DurationVar(&o.lasts, "for", 4*time.Second, "how long a load lasts that has no end of its own")
	flags.BoolVar(&o.list, "list", false, "print the families and their cases")
	if err := flags.Parse(args); err != nil {
		return err
	}
	families, err := chosen(o.only)
	if err != nil {
		return err
	}
	if o.list {
		list(families)
		return nil
	}
	return measure(ctx, o, families)
}

// chosen are the families that a list names.
func chosen(only string) ([]scenario.Family, error) {
	all := scenario.Families()
	if only == "" {
		return all, nil
	}
	var families []scenario.Family
	for name := range strings.SplitSeq(only, ",") {
		found := len(families)
		for _, family := range all {
			if family.Name == name {
				families = append(families, family)
			}
		}
		if len(families) == found {
			return nil, fmt.Errorf("there is no family %q: --list names them", name)
		}
	}
	return families, nil
}

func list(families []scenario.Family) {
	for _, family := range families {
		fmt.Printf("%-8s %s%s\n", family.Name, family.Title, suffix(family.Note))
		for _, c := range family.Cases {
			fmt.Printf("         - %s\n", c.Title)
		}
	}
}

func suffix(note string) string {
	if note == "" {
		return ""
	}
	return " (" + note + ")"
}
