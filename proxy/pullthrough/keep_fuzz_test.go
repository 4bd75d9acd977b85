package pullthrough

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/registryhub/registryhub/proxy/distspec"
)

func FuzzLinksIn(f *testing.F) {
	named := func(n int) string {
		var all []string
		for i := range n {
			all = append(all, fmt.Sprintf(`{"mediaType":"a/b","digest":%q,"size":1}`, digest.FromString(strconv.Itoa(i))))
		}
		return strings.Join(all, ",")
	}
	for _, seed := range []string{
		"", "null", "[]", "{}", `{"config":null,"layers":null}`, `{"config":` + named(1) + `,"layers":[` + named(2) + `]}`, `{"manifests":[` + named(1) + `,` + named(1) + `]}`,
		`{"layers":[{"digest":"sha256:../..","size":-1},{"digest":"md5:00"}]}`, `{"fsLayers":[{"blobSum":"` + digest.FromString("").String() + `"}],"blobs":[` + named(1) + `]}`,
		`{"layers":[{"digest":"` + digest.FromString("").String() + `","size":-1}]}`, `{"layers":[` + named(maxLinks+1) + `]}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		links := linksIn(body, "effective")
		if len(links) > maxLinks {
			t.Errorf("%d links are made of one manifest", len(links))
		}
		seen := map[digest.Digest]bool{}
		for _, link := range links {
			if _, err := distspec.ParseDigest(link.Digest.String()); err != nil || link.Size < 0 || link.Effective != "effective" || seen[link.Digest] {
				t.Errorf("%q makes the link %+v, known %t: %v", body, link, seen[link.Digest], err)
			}
			seen[link.Digest] = true
		}
	})
}
