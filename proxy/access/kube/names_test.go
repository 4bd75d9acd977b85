package kube

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTheNamesThatARightCanHave(t *testing.T) {
	t.Parallel()
	for repository, want := range map[string][]string{
		"app":         {"hub:app", "hub:*"},
		"team/app":    {"hub:team/app", "hub:team/*", "hub:*"},
		"a/b/c":       {"hub:a/b/c", "hub:a/b/*", "hub:a/*", "hub:*"},
		"a/b/c/d/e/f": {"hub:a/b/c/d/e/f", "hub:a/b/c/d/*", "hub:a/b/c/*", "hub:a/b/*", "hub:a/*", "hub:*"},
	} {
		if diff := cmp.Diff(want, names("hub", repository)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", repository, diff)
		}
	}
	if got := len(names("hub", strings.Repeat("a/", 100)+"a")); got != maxFolders+2 {
		t.Errorf("%d names are tried of a deep one, want %d", got, maxFolders+2)
	}
	if got, want := anyOf(names("hub", "team/app")), "hub:team/app, hub:team/* or hub:*"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
