package main

import (
	"testing"

	"github.com/registryhub/registryhub/hack/bench/scenario"
)

func TestFamiliesAreChosenByName(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		only string
		want int
	}{
		"none named are all":      {"", len(scenario.Families())},
		"two":                     {"hits,cold", 2},
		"one that does not exist": {"hits,nothing", -1},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := chosen(tc.only)
			if (err != nil) != (tc.want < 0) || (err == nil && len(got) != tc.want) {
				t.Errorf("chosen(%q) are %d families (%v), want %d", tc.only, len(got), err, tc.want)
			}
		})
	}
}

func TestModelName(t *testing.T) {
	t.Parallel()
	if got := modelName("processor\t: 0\nmodel\t\t: 207\nmodel name\t: Some CPU @ 2 GHz\n"); got != "Some CPU @ 2 GHz" {
		t.Errorf("got %q", got)
	}
}

func TestLastWord(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{"": "", "nginx version: nginx/1.22.1": "nginx/1.22.1"} {
		if got := lastWord(text); got != want {
			t.Errorf("lastWord(%q) = %q, want %q", text, got, want)
		}
	}
}
