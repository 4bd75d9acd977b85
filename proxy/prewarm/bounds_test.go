package prewarm

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"

	config "github.com/registryhub/registryhub/api/config/v1alpha1"
)

// indexOf names other manifests.
func indexOf(children ...string) string {
	var descriptors []string
	for _, child := range children {
		descriptors = append(descriptors, fmt.Sprintf(`{"digest": %q}`, digestOf(child)))
	}
	return `{"manifests": [` + strings.Join(descriptors, ",") + `]}`
}

func TestAnImageOfTooManyManifestsIsGivenUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &shelf{manifests: map[string]string{"quay.io/good@1": `{}`}}
		var inner []string
		for i := range 40 {
			var leaves []string
			for j := range 40 {
				leaf := fmt.Sprintf(`{"annotations": {"n": "%d.%d"}}`, i, j)
				s.manifests["quay.io/wide@"+digestOf(leaf)] = leaf
				leaves = append(leaves, leaf)
			}
			one := indexOf(leaves...)
			s.manifests["quay.io/wide@"+digestOf(one)] = one
			inner = append(inner, one)
		}
		s.manifests["quay.io/wide@1"] = indexOf(inner...)
		w := run(t, s, wanting("quay.io/wide:1", "quay.io/good:1"))
		synctest.Wait()
		want := &config.PrewarmReport{Images: 2, Warm: 1, Failing: []config.PrewarmFailure{{Image: "quay.io/wide:1", Message: errWide.Error()}}}
		if diff := cmp.Diff(want, w.Report()); diff != "" {
			t.Errorf("the report (-want +got):\n%s", diff)
		}
		if asked := len(s.asked); asked != maxManifests+1 {
			t.Errorf("%d manifests were asked for, want %d of the one image and one of the other", asked, maxManifests)
		}
	})
}

// trickling is a shelf whose blobs come without an end.
type trickling struct{ *shelf }

func (trickling) BlobAhead(ctx context.Context, _, _ string, _ digest.Digest) error {
	<-ctx.Done()
	return ctx.Err()
}

func TestAnImageThatTakesTooLongMakesWayForTheOthers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		slow := fmt.Sprintf(`{"layers": [{"digest": %q}]}`, digestOf("layer"))
		s := &shelf{manifests: map[string]string{"quay.io/slow@1": slow, "quay.io/good@1": `{}`}}
		w := runWith(t, trickling{s}, s, wanting("quay.io/slow:1", "quay.io/good:1"))
		time.Sleep(maxTime + time.Second) //nolint:forbidigo // the bubble's clock, which does not wait
		synctest.Wait()
		want := &config.PrewarmReport{Images: 2, Warm: 1, Failing: []config.PrewarmFailure{{Image: "quay.io/slow:1", Message: errLong.Error()}}}
		if diff := cmp.Diff(want, w.Report()); diff != "" {
			t.Errorf("the report (-want +got):\n%s", diff)
		}
	})
}
