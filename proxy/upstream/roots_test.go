package upstream

import (
	"testing"

	"golang.org/x/crypto/x509roots/fallback/bundle"
)

func TestAllPublicRootsAreTrusted(t *testing.T) {
	t.Parallel()
	want := 0
	for range bundle.Roots() {
		want++
	}
	if got := len(publicRoots().Subjects()); got != want || want == 0 { //nolint:staticcheck // SA1019: of a pool that is not the system's it tells all
		t.Errorf("%d roots are trusted of %d", got, want)
	}
}
