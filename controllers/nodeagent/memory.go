package nodeagent

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// memoryName is the agent's memory in its run directory. Generations have numbers for names.
const memoryName = "known.json"

// memory keeps what the agent knew last, for an agent that starts while the API server is away: it goes on asking the hubs
// and withdrawing them. It lies in the run directory and ends with it, at a reboot. Readable for root alone.
type memory struct{ path, node string }

func newMemory(options Options) memory {
	return memory{path: filepath.Join(options.RunDirectory, memoryName), node: options.NodeName}
}

// remembered is the file. The configuration is as the operator wrote it, and says its kind and version itself.
type remembered struct {
	Node          string            `json:"node"`
	Labels        map[string]string `json:"labels"`
	Runtime       string            `json:"runtime"`
	Configuration string            `json:"configuration"`
}

// keep writes what is known, once it is complete, so that all of the old or all of the new is there at any moment.
func (m memory) keep(k known) error {
	if _, _, complete := k.both(); !complete {
		return nil
	}
	data, err := json.Marshal(remembered{Node: m.node, Labels: k.node, Runtime: k.runtime, Configuration: k.source})
	if err != nil {
		return fmt.Errorf("encoding what is known: %w", err)
	}
	next := m.path + ".next"
	if err := os.WriteFile(next, data, 0o600); err != nil {
		return fmt.Errorf("writing what is known: %w", err)
	}
	if err := os.Rename(next, m.path); err != nil {
		return fmt.Errorf("writing what is known: %w", err)
	}
	return nil
}

// recall reads what an earlier agent of this node knew. What is not there, or cannot be used, is as good as nothing: the
// error says which.
func (m memory) recall() (known, error) {
	data, err := os.ReadFile(m.path)
	if errors.Is(err, fs.ErrNotExist) {
		return known{}, nil
	}
	if err != nil {
		return known{}, fmt.Errorf("reading what an earlier agent knew: %w", err)
	}
	var file remembered
	if err := json.Unmarshal(data, &file); err != nil {
		return known{}, fmt.Errorf("decoding what an earlier agent knew, in %s: %w", m.path, err)
	}
	if file.Node != m.node {
		return known{}, fmt.Errorf("what an earlier agent knew, in %s, is of node %q: want %q", m.path, file.Node, m.node)
	}
	configuration, err := decode(file.Configuration)
	if err != nil {
		return known{}, fmt.Errorf("decoding what an earlier agent knew, in %s: %w", m.path, err)
	}
	labels := file.Labels
	if labels == nil {
		labels = map[string]string{}
	}
	return known{configuration: configuration, source: file.Configuration, text: &file.Configuration, node: labels, runtime: file.Runtime}, nil
}

// forget removes it.
func (m memory) forget() error {
	var errs []error
	for _, path := range []string{m.path, m.path + ".next"} {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, fmt.Errorf("forgetting what is known: %w", err))
		}
	}
	return errors.Join(errs...)
}
