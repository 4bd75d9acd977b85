package nodeagent

import (
	"context"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/go-logr/logr"

	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/controllers/nodeagent/certsd"
	"github.com/registryhub/registryhub/controllers/nodeagent/cri"
	"github.com/registryhub/registryhub/controllers/nodeagent/proof"
)

// prover is what the agent asks of proof.
type prover interface {
	Run(ctx context.Context)
	Prove(targets []proof.Target)
	Outcome(target proof.Target) proof.Outcome
	Changed() <-chan struct{}
}

// proving is what the agent does so that wired is proven and not assumed. Where it is nil canaries are turned off.
type proving struct {
	prover
	// started is when the runtime did: what was proven of an earlier one says nothing of this one.
	started func() time.Time
	// sandboxes knows what the runtime begins every Pod with.
	sandboxes *sandbox
	close     func()
}

// newProving asks the runtime that is at home where the certs directory is.
func newProving(options Options, log logr.Logger) (*proving, error) {
	if options.CanaryInterval == 0 {
		return nil, nil //nolint:nilnil // nil is what proving is where it is turned off
	}
	layout := configv1alpha1.RuntimeLayoutOf(options.CertsDirectory)
	client, err := cri.New(layout.Socket)
	if err != nil {
		return nil, err
	}
	host := os.DirFS("/")
	e := examiner{host: host, layout: layout, certs: options.CertsDirectory, runtime: client}
	started := func() time.Time { return startOf(host, layout.Socket) }
	return &proving{
		prover:    proof.New(proof.Options{Images: client, Explain: e.explain, Interval: options.CanaryInterval, Logger: log}),
		started:   started,
		sandboxes: &sandbox{look: e.lookSoon, started: started},
		close:     func() { _ = client.Close() }, // which fails when it was closed before
	}, nil
}

// sandbox is nil where the runtime is asked nothing.
func (p *proving) sandbox() *sandbox {
	if p == nil {
		return nil
	}
	return p.sandboxes
}

// startOf is when a runtime began to listen, which it does at its start: it makes its socket anew.
func startOf(host fs.FS, socket string) time.Time {
	info, err := fs.Stat(host, socket[1:])
	if err != nil {
		return time.Time{}
	}
	return info.ModTime()
}

// run proves until the context ends.
func (p *proving) run(ctx context.Context) {
	if p != nil {
		p.Run(ctx)
	}
}

// end closes what is open.
func (p *proving) end() {
	if p != nil {
		p.close()
	}
}

// changed gets a value after something was proven, or was seen to be otherwise.
func (p *proving) changed() <-chan struct{} {
	if p == nil {
		return nil
	}
	return p.Changed()
}

// proofs are what is known of hosts that are in force; nil where nothing is proven.
type proofs map[string]proof.Outcome

// follow has the hosts proven whose files are in place, and says what is known of them.
func (p *proving) follow(w wiring, files map[string]certsd.Files, failed map[string]error) proofs {
	if p == nil {
		return nil
	}
	known, started := proofs{}, p.started()
	var targets []proof.Target
	for host, content := range files {
		if failed[host] == nil {
			uid := w.entries[w.hubs[host]].UID
			targets = append(targets, proof.Target{Host: host, HubUID: uid, Wiring: wiringOf(content, started)})
		}
	}
	p.Prove(targets)
	for _, target := range targets {
		known[target.Host] = p.Outcome(target)
	}
	return known
}

// wiringOf names what a runtime that started then makes of a host's files.
func wiringOf(files certsd.Files, started time.Time) string {
	parts := []string{started.UTC().Format(time.RFC3339Nano)}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		parts = append(parts, name, configv1alpha1.Hash(files[name]))
	}
	return configv1alpha1.Hash([]byte(strings.Join(parts, "\n")))
}
