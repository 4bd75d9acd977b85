package nodeagent

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAnAgentThatStartsWithoutTheAPIServerGoesOn(t *testing.T) {
	t.Parallel()
	gpu := map[string]string{"gpu": "yes"}
	b := newBench(t, configMap(t, configuration(5, hub("a", "x.io"), onNodes(hub("b", "y.io"), gpu))), ownNode(gpu), ownMirror())
	b.mustPass()
	b.restart()
	b.hubs.otherwise["a"] = unknownSince(0)
	b.hubs.otherwise["b"] = unknownSince(0)
	b.keeper.pass()
	if got := b.hosts(); !cmp.Equal(got, []string{"x.io", "y.io"}) {
		t.Errorf("hosts %q after the start", got)
	}
	if len(b.hubs.followed) != 2 {
		t.Errorf("%v are asked", b.hubs.followed)
	}
	b.hubs.otherwise["b"] = deadSince(0, false)
	delete(b.hubs.otherwise, "a")
	b.keeper.pass()
	if got := b.hosts(); !cmp.Equal(got, []string{"x.io"}) {
		t.Errorf("hosts %q when one is found dead", got)
	}
}

func TestAMemoryThatCannotBeUsedIsAsGoodAsNone(t *testing.T) {
	t.Parallel()
	for sentence, tc := range map[string]struct {
		spoil func(string) string
		told  string
	}{
		"it is not there":        {nil, ""},
		"half of it is there":    {func(s string) string { return s[:len(s)/2] }, "decoding"},
		"it is another node's":   {func(s string) string { return strings.Replace(s, nodeName, "worker-2", 1) }, "worker-2"},
		"another version's":      {func(s string) string { return strings.Replace(s, "v1alpha1", "v9", 1) }, "v9"},
		"without a kind":         {func(s string) string { return strings.Replace(s, "NodeConfiguration", "", 1) }, "kind"},
		"a field that is no one": {func(s string) string { return strings.Replace(s, "revision", "revisions", 1) }, "revisions"},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, configMap(t, configuration(5, hub("a", "x.io"))), ownNode(nil), ownMirror())
			b.mustPass()
			path := filepath.Join(b.run, memoryName)
			if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
				t.Fatalf("the memory: %v, %v", info, err)
			}
			b.spoil(path, tc.spoil)
			b.logged = nil
			b.restart()
			b.keeper.pass()
			if got := b.hosts(); !cmp.Equal(got, []string{"x.io"}) || len(b.hubs.followed) != 0 {
				t.Errorf("hosts %q, and %v are asked", got, b.hubs.followed)
			}
			if told := strings.Join(b.logged, "\n"); !strings.Contains(told, tc.told) || tc.told == "" && told != "" {
				t.Errorf("told %q, want of %q", told, tc.told)
			}
			if b.keeper.ready(nil) == nil {
				t.Error("ready, though nothing is known")
			}
			b.mustPass()
			if got := len(b.hubs.followed); got != 1 {
				t.Errorf("with the API server back, %d hubs are asked", got)
			}
		})
	}
}

// spoil changes a file, or removes it.
func (b *bench) spoil(path string, change func(string) string) {
	b.t.Helper()
	data, err := os.ReadFile(path)
	if err == nil && change == nil {
		err = os.Remove(path)
	}
	if err == nil && change != nil {
		err = os.WriteFile(path, []byte(change(string(data))), 0o600)
	}
	if err != nil {
		b.t.Fatal(err)
	}
}

func TestAMemoryThatCannotBeWrittenIsToldOfOnceAndHoldsUpNothing(t *testing.T) {
	t.Parallel()
	b := newBench(t, configMap(t, configuration(5, hub("a", "x.io"))), ownNode(nil), ownMirror())
	if err := os.MkdirAll(filepath.Join(b.run, memoryName+".next"), 0o755); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		b.mustPass()
	}
	told := 0
	for _, line := range b.logged {
		if strings.Contains(line, "would know less") {
			told++
		}
	}
	if got := b.hosts(); told != 1 || !cmp.Equal(got, []string{"x.io"}) {
		t.Errorf("told %d times, hosts %q", told, got)
	}
}

func TestARestoredNodeRemembersNothing(t *testing.T) {
	t.Parallel()
	b := newBench(t, configMap(t, configuration(5, hub("a", "x.io"))), ownNode(nil), ownMirror())
	b.mustPass()
	if err := b.keeper.restore(); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(b.run); err != nil || len(left) != 0 {
		t.Errorf("left are %v (%v)", left, err)
	}
	if err := b.keeper.restore(); err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Errorf("once more: %v", err)
	}
}
