package pullthrough

import (
	"fmt"
	"math"
	"testing"

	"github.com/registryhub/registryhub/proxy/store"
	"github.com/registryhub/registryhub/proxy/upstream"
)

func TestPlanOfTheLargestBlobDoesNotOverflow(t *testing.T) {
	const size = math.MaxInt64
	p := plan{size: size, have: store.Extents{{Start: 0, End: 10}}}
	p.whole()
	if one := p.take(); one == nil || one.at != 10 || one.end != size {
		t.Fatalf("got %+v, want all from byte 10 on", one)
	}
	if another := p.take(); another != nil {
		t.Errorf("beside that it takes %+v, want nothing", another)
	}
}

func TestSizeThatNothingHasIsNone(t *testing.T) {
	const d = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	for said, want := range map[int64]int64{-1: 0, 0: 0, 5: 5, upstream.MaxBlobSize: upstream.MaxBlobSize, upstream.MaxBlobSize + 1: 0, math.MaxInt64: 0} {
		links := linksIn(fmt.Appendf(nil, `{"layers":[{"digest":%q,"size":%d}]}`, d, said), "team/app")
		if len(links) != 1 || links[0].Size != want {
			t.Errorf("a layer of %d bytes: got %+v, want the size %d", said, links, want)
		}
	}
}
