package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/registryhub/registryhub/hack/bench/contender"
	"github.com/registryhub/registryhub/hack/bench/report"
	"github.com/registryhub/registryhub/hack/bench/scenario"
	"github.com/registryhub/registryhub/hack/cluster/assets"
)

// machine is what is measured, and on what.
type machine struct {
	programs contender.Programs
	report   report.Machine
}

// prepare builds or fetches the programs and asks them for their versions.
func prepare(ctx context.Context, provider *assets.Store) (machine, error) {
	var m machine
	var err error
	if m.programs.RegistryHub, err = provider.Program(ctx, "cmd/registryhub"); err != nil {
		return m, err
	}
	if m.programs.Distribution, err = provider.Distribution(ctx); err != nil {
		return m, err
	}
	if m.programs.Nginx, err = provider.Nginx(ctx); err != nil {
		return m, err
	}
	m.report = report.Machine{Cores: runtime.NumCPU(), Versions: map[string]string{
		contender.Ours:         said(ctx, provider.Root, "git", "describe", "--tags", "--always", "--dirty"),
		contender.Distribution: lastWord(said(ctx, "", m.programs.Distribution, "--version")),
		"nginx":                strings.TrimPrefix(lastWord(said(ctx, "", m.programs.Nginx, "-v")), "nginx/"),
		"Linux":                release(said(ctx, "", "uname", "-r")),
		"Go":                   runtime.Version(),
	}}
	return m, nil
}

// said is what a program prints, and empty when it cannot be run: a version that is not known is none.
func said(ctx context.Context, directory, program string, args ...string) string {
	command := exec.CommandContext(ctx, program, args...)
	command.Dir = directory
	out, _ := command.CombinedOutput()
	return string(bytes.TrimSpace(out))
}

func lastWord(text string) string {
	words := strings.Fields(text)
	if len(words) == 0 {
		return ""
	}
	return words[len(words)-1]
}

// release is major.minor of a kernel's: the rest says who built it.
func release(full string) string {
	parts := strings.SplitN(full, ".", 3)
	return strings.Join(parts[:min(len(parts), 2)], ".")
}

// processor is the CPU's model.
func processor() string {
	content, _ := os.ReadFile("/proc/cpuinfo")
	return modelName(string(content))
}

func modelName(cpuinfo string) string {
	for line := range strings.Lines(cpuinfo) {
		if name, value, found := strings.Cut(line, ":"); found && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}

// names are those of all cases, and of the families without any.
func names() []string {
	var all []string
	for _, family := range scenario.Families() {
		if family.Note != "" {
			all = append(all, family.Name)
		}
		for _, c := range family.Cases {
			all = append(all, c.Name)
		}
	}
	return all
}

// record adds results to those of earlier runs, which may be of other machines, and writes the document from all of them.
func record(provider *assets.Store, m report.Machine, results []report.Result) error {
	kept := filepath.Join(provider.Root, "hack", "bench", "results.json")
	for i := range results {
		results[i].Processor = processor()
	}
	all, err := report.Merge(kept, names(), results)
	if err != nil {
		return err
	}
	document := filepath.Join(provider.Root, "docs", "benchmarks.md")
	if err := os.WriteFile(document, []byte(report.Document(m, all, contender.Ours)), 0o644); err != nil {
		return fmt.Errorf("writing the document of the benchmarks: %w", err)
	}
	step("wrote %s", document)
	return nil
}
