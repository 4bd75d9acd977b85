package scenario

import (
	"context"
	"testing"

	"github.com/registryhub/registryhub/hack/bench/contender"
)

func TestARoundThatDoesNotCountIsForFreshServersAlone(t *testing.T) {
	t.Parallel()
	prepared := Family{Prepare: func(context.Context, *Bench, *contender.Server) error { return nil }}
	tests := map[string]struct {
		rounds int
		family Family
		want   int
	}{
		"fresh servers":                     {3, Family{}, 0},
		"fresh servers, and a single round": {1, Family{}, 1},
		"servers that were prepared":        {3, prepared, 1},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := first(tc.rounds, tc.family); got != tc.want {
				t.Errorf("the first of %d rounds is %d, want %d", tc.rounds, got, tc.want)
			}
		})
	}
}
