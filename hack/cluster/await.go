package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/registryhub/registryhub/hack/cluster/plan"
	"github.com/registryhub/registryhub/hack/cluster/sandbox"
)

// patience is how long a component may take to get ready; it is ample on two busy cores.
const patience = 2 * time.Minute

// component is one process of one sandbox.
type component struct {
	machine sandbox.Sandbox
	process string
}

func (c component) String() string { return c.process + " on " + c.machine.Name }

// await waits until ready finds nothing amiss, the component ends, or patience is over.
func (c component) await(ctx context.Context, ready func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		attempt, stop := context.WithTimeout(ctx, 5*time.Second)
		fault := ready(attempt)
		stop()
		if fault == nil {
			return nil
		}
		if err := c.check(ctx); err != nil {
			return c.failure(err)
		}
		if !pause(ctx, 100*time.Millisecond) {
			return c.failure(fmt.Errorf("not ready: %w", fault))
		}
	}
}

// pause lets time pass before a condition is looked at again; false means that ctx has ended.
func pause(ctx context.Context, duration time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(duration):
		return true
	}
}

// check says what is wrong if the component does not run.
func (c component) check(ctx context.Context) error {
	states, err := c.machine.States(ctx)
	if err != nil && ctx.Err() == nil {
		return err
	}
	for _, state := range states {
		if state.Name == c.process && !state.Running {
			return fmt.Errorf("ended: %s", state.Ended)
		}
	}
	return nil
}

// failure adds the end of the component's log to err.
func (c component) failure(err error) error {
	log := filepath.Join(c.machine.Dir, plan.LogFile(c.process))
	return fmt.Errorf("%s: %w\n\nthe last lines of %s:\n%s", c, err, log, tail(log, 15))
}

func tail(file string, count int) string {
	content, err := os.ReadFile(file)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimRight(string(content), "\n"), "\n")
	if len(lines) > count {
		lines = lines[len(lines)-count:]
	}
	return strings.Join(lines, "\n")
}
