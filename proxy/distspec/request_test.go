package distspec

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"
	"pgregory.net/rapid"
)

var (
	sha256Hex = strings.Repeat("0123456789abcdef", 4)
	sha512Hex = strings.Repeat("0123456789abcdef", 8)
)

func TestParsePath(t *testing.T) {
	long := strings.Repeat("a/", 127) + "a" // 255 characters.
	tests := map[string]struct {
		path string
		want Request
	}{
		"the base without a slash":             {"/v2", Request{Kind: KindBase}},
		"the base":                             {"/v2/", Request{Kind: KindBase}},
		"a manifest by tag":                    {"/v2/library/alpine/manifests/3.20", Request{Kind: KindManifest, Repository: "library/alpine", Reference: tag("3.20")}},
		"a manifest by sha256":                 {"/v2/alpine/manifests/sha256:" + sha256Hex, Request{Kind: KindManifest, Repository: "alpine", Reference: sha("sha256:" + sha256Hex)}},
		"a manifest by sha512":                 {"/v2/alpine/manifests/sha512:" + sha512Hex, Request{Kind: KindManifest, Repository: "alpine", Reference: sha("sha512:" + sha512Hex)}},
		"a blob":                               {"/v2/a/b/c/blobs/sha256:" + sha256Hex, Request{Kind: KindBlob, Repository: "a/b/c", Reference: sha("sha256:" + sha256Hex)}},
		"a tags list":                          {"/v2/a/b/tags/list", Request{Kind: KindTags, Repository: "a/b"}},
		"referrers":                            {"/v2/a/referrers/sha256:" + sha256Hex, Request{Kind: KindReferrers, Repository: "a", Reference: sha("sha256:" + sha256Hex)}},
		"a repository named manifests":         {"/v2/manifests/manifests/manifests", Request{Kind: KindManifest, Repository: "manifests", Reference: tag("manifests")}},
		"markers inside a repository name":     {"/v2/a/blobs/b/manifests/c/manifests/v1", Request{Kind: KindManifest, Repository: "a/blobs/b/manifests/c", Reference: tag("v1")}},
		"a repository that ends in manifests":  {"/v2/a/manifests/tags/list", Request{Kind: KindTags, Repository: "a/manifests"}},
		"a tag named list":                     {"/v2/a/manifests/list", Request{Kind: KindManifest, Repository: "a", Reference: tag("list")}},
		"a repository named tags":              {"/v2/tags/tags/list", Request{Kind: KindTags, Repository: "tags"}},
		"separators in names":                  {"/v2/a.b_c__d-e---f/manifests/_x.Y-Z", Request{Kind: KindManifest, Repository: "a.b_c__d-e---f", Reference: tag("_x.Y-Z")}},
		"the longest repository":               {"/v2/" + long + "/manifests/x", Request{Kind: KindManifest, Repository: long, Reference: tag("x")}},
		"the longest repository and reference": {"/v2/" + long + "/manifests/sha512:" + sha512Hex, Request{Kind: KindManifest, Repository: long, Reference: sha("sha512:" + sha512Hex)}},
		"uploads":                              {"/v2/team/app/blobs/uploads/", Request{Kind: KindUploads, Repository: "team/app"}},
		"uploads without the slash":            {"/v2/team/app/blobs/uploads", Request{Kind: KindUploads, Repository: "team/app"}},
		"uploads of a name of one segment":     {"/v2/app/blobs/uploads/", Request{Kind: KindUploads, Repository: "app"}},
		"an upload":                            {"/v2/team/app/blobs/uploads/aZ0_-", Request{Kind: KindUpload, Repository: "team/app", Session: "aZ0_-"}},
		"the longest upload": {"/v2/" + long + "/blobs/uploads/" + strings.Repeat("x", MaxSessionLength),
			Request{Kind: KindUpload, Repository: long, Session: strings.Repeat("x", MaxSessionLength)}},
		"a leading slash too many":                {"/v2//team/app/manifests/v1.0.0", Request{Kind: KindManifest, Repository: "team/app", Reference: tag("v1.0.0")}},
		"a repository named blobs":                {"/v2/blobs/blobs/uploads/", Request{Kind: KindUploads, Repository: "blobs"}},
		"a repository named uploads":              {"/v2/uploads/blobs/uploads/x", Request{Kind: KindUpload, Repository: "uploads", Session: "x"}},
		"a repository that is named like uploads": {"/v2/a/blobs/uploads/manifests/x", Request{Kind: KindManifest, Repository: "a/blobs/uploads", Reference: tag("x")}},
		"uploads in the middle of a name":         {"/v2/a/uploads/b/blobs/uploads/", Request{Kind: KindUploads, Repository: "a/uploads/b"}},
		"tags in the middle of a name":            {"/v2/a/tags/b/tags/list", Request{Kind: KindTags, Repository: "a/tags/b"}},
		"a blob of a name of two segments":        {"/v2/team/app/blobs/sha256:" + sha256Hex, Request{Kind: KindBlob, Repository: "team/app", Reference: sha("sha256:" + sha256Hex)}},
		"a version":                               {"/v2/team/app/manifests/v1.0.0", Request{Kind: KindManifest, Repository: "team/app", Reference: tag("v1.0.0")}},
		"a manifest of a name of two segments":    {"/v2/team/app/manifests/sha256:" + sha256Hex, Request{Kind: KindManifest, Repository: "team/app", Reference: sha("sha256:" + sha256Hex)}},
		"tags of a name of two segments":          {"/v2/team/app/tags/list", Request{Kind: KindTags, Repository: "team/app"}},
		"a name of three segments":                {"/v2/a/b/c/manifests/latest", Request{Kind: KindManifest, Repository: "a/b/c", Reference: tag("latest")}},
		"a leading slash too many, of uploads":    {"/v2//team/app/blobs/uploads/", Request{Kind: KindUploads, Repository: "team/app"}},
		"the longest tag":                         {"/v2/a/manifests/" + strings.Repeat("x", 128), Request{Kind: KindManifest, Repository: "a", Reference: tag(strings.Repeat("x", 128))}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := ParsePath(tc.path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestParsePathRefuses(t *testing.T) {
	tests := map[string]struct {
		path   string
		status int
		code   Code
	}{
		"an empty path":                      {"", 404, CodeUnsupported},
		"another API":                        {"/v1/a/manifests/x", 404, CodeUnsupported},
		"a longer version":                   {"/v22/a/manifests/x", 404, CodeUnsupported},
		"the catalog":                        {"/v2/_catalog", 404, CodeUnsupported},
		"uploads of no repository":           {"/v2/blobs/uploads/", 404, CodeUnsupported},
		"uploads of an empty repository":     {"/v2//blobs/uploads/x", 404, CodeUnsupported},
		"uploads that are not of blobs":      {"/v2/a/uploads/", 404, CodeUnsupported},
		"a path below an upload":             {"/v2/a/blobs/uploads/x/y", 404, CodeUnsupported},
		"a session with a dot":               {"/v2/a/blobs/uploads/..", 404, CodeBlobUploadUnknown},
		"a session that is too long":         {"/v2/a/blobs/uploads/" + strings.Repeat("x", MaxSessionLength+1), 404, CodeBlobUploadUnknown},
		"an upload in two slashes too many":  {"/v2///a/blobs/uploads/x", 400, CodeNameInvalid},
		"no end point":                       {"/v2/team/app/whatever", 404, CodeUnsupported},
		"what stands behind a tag":           {"/v2/team/app/manifests/v1/whatever", 404, CodeUnsupported},
		"a tags list of nothing":             {"/v2//tags/list", 404, CodeUnsupported},
		"an unknown marker":                  {"/v2/a/layers/x", 404, CodeUnsupported},
		"another list of tags":               {"/v2/a/tags/all", 404, CodeUnsupported},
		"no repository":                      {"/v2/manifests/x", 400, CodeNameInvalid},
		"an empty repository":                {"/v2//manifests/x", 400, CodeNameInvalid},
		"an empty segment":                   {"/v2/a//b/manifests/x", 400, CodeNameInvalid},
		"a slash at the end of the name":     {"/v2/a//manifests/x", 400, CodeNameInvalid},
		"path traversal":                     {"/v2/../../etc/manifests/x", 400, CodeNameInvalid},
		"a dot segment":                      {"/v2/a/./b/manifests/x", 400, CodeNameInvalid},
		"encoded path traversal":             {"/v2/%2e%2e/manifests/x", 400, CodeNameInvalid},
		"an encoded slash":                   {"/v2/a%2fb/manifests/x", 400, CodeNameInvalid},
		"an encoded digest":                  {"/v2/a/blobs/sha256%3A" + sha256Hex, 400, CodeNameInvalid},
		"a capital":                          {"/v2/Alpine/manifests/x", 400, CodeNameInvalid},
		"a name that begins with a hyphen":   {"/v2/-a/manifests/x", 400, CodeNameInvalid},
		"a name that ends with a separator":  {"/v2/a-/manifests/x", 400, CodeNameInvalid},
		"three underscores":                  {"/v2/a___b/manifests/x", 400, CodeNameInvalid},
		"two dots":                           {"/v2/a..b/manifests/x", 400, CodeNameInvalid},
		"a NUL":                              {"/v2/a\x00/manifests/x", 400, CodeNameInvalid},
		"256 characters":                     {"/v2/" + strings.Repeat("a", 256) + "/manifests/x", 400, CodeNameInvalid},
		"a huge path":                        {"/v2/" + strings.Repeat("a/", 1<<20) + "manifests/x", 400, CodeNameInvalid},
		"a short digest":                     {"/v2/a/blobs/sha256:abc", 400, CodeDigestInvalid},
		"a digest in capitals":               {"/v2/a/blobs/sha256:" + strings.ToUpper(sha256Hex), 400, CodeDigestInvalid},
		"a digest one character too long":    {"/v2/a/blobs/sha256:" + sha256Hex + "0", 400, CodeDigestInvalid},
		"sha512 with the length of sha256":   {"/v2/a/manifests/sha512:" + sha256Hex, 400, CodeDigestInvalid},
		"an algorithm that nobody verifies":  {"/v2/a/blobs/md5:" + sha256Hex[:32], 400, CodeDigestInvalid},
		"a tag where a digest belongs":       {"/v2/a/blobs/latest", 400, CodeDigestInvalid},
		"referrers of a tag":                 {"/v2/a/referrers/latest", 400, CodeDigestInvalid},
		"a tag that begins with a dot":       {"/v2/a/manifests/.INVALID_MANIFEST_NAME", 404, CodeManifestUnknown},
		"a tag of 129 characters":            {"/v2/a/manifests/" + strings.Repeat("x", 129), 404, CodeManifestUnknown},
		"no tag":                             {"/v2/a/manifests/", 404, CodeManifestUnknown},
		"a marker at the end of a tags list": {"/v2/tags/list", 404, CodeUnsupported},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := ParsePath(tc.path)
			e, ok := errors.AsType[*Error](err)
			if !ok {
				t.Fatalf("got %+v and %v, want an *Error", got, err)
			}
			if e.Status != tc.status || e.Code != tc.code {
				t.Errorf("got %d %s, want %d %s", e.Status, e.Code, tc.status, tc.code)
			}
			if got != (Request{}) {
				t.Errorf("got %+v beside the error", got)
			}
		})
	}
}

func TestParseRequestSeesPercentEncoding(t *testing.T) {
	r := httptest.NewRequest(http.MethodGet, "/v2/a%2Fb/manifests/x", nil)
	if got, err := ParseRequest(r); err == nil {
		t.Errorf("got %+v, want an error", got)
	}
}

func TestReferenceTellsTagsFromDigests(t *testing.T) {
	if r := tag("x"); r.IsDigest() || r.Tag() != "x" || r.Digest() != "" {
		t.Errorf("got %+v for a tag", r)
	}
	if r := sha("sha256:" + sha256Hex); !r.IsDigest() || r.Tag() != "" || r.Digest() == "" {
		t.Errorf("got %+v for a digest", r)
	}
}

// A word of the API's own may stand anywhere in a name, and be a tag or a session, at each end point.
func TestTheAPIsWordsAreNamesToo(t *testing.T) {
	words := []string{"blobs", "manifests", "tags", "uploads", "list", "referrers"}
	for _, word := range words {
		for _, repository := range []string{word, word + "/app", "team/" + word, "team/" + word + "/app", word + "/" + word, "blobs/uploads/" + word, word + "/tags/list"} {
			requests := []Request{
				{Kind: KindManifest, Repository: repository, Reference: sha("sha256:" + sha256Hex)}, {Kind: KindBlob, Repository: repository, Reference: sha("sha256:" + sha256Hex)},
				{Kind: KindReferrers, Repository: repository, Reference: sha("sha256:" + sha256Hex)}, {Kind: KindTags, Repository: repository}, {Kind: KindUploads, Repository: repository},
			}
			for _, other := range words {
				requests = append(requests, Request{Kind: KindManifest, Repository: repository, Reference: tag(other)}, Request{Kind: KindUpload, Repository: repository, Session: other})
			}
			for _, want := range requests {
				if got, err := ParsePath(BuildPath(want)); err != nil || got != want {
					t.Errorf("%s is read as %+v (%v), want %+v", BuildPath(want), got, err, want)
				}
			}
		}
	}
}

// Property: what is built is read again as the same.
func TestParsePathReadsWhatBuildPathBuilds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := anyRequest().Draw(t, "request")
		got, err := ParsePath(BuildPath(want))
		if err != nil {
			t.Fatal(err)
		}
		if got != want {
			t.Fatalf("want %+v, got %+v", want, got)
		}
	})
}

func anyRequest() *rapid.Generator[Request] {
	return rapid.Custom(func(t *rapid.T) Request {
		kind := rapid.SampledFrom([]Kind{KindBase, KindManifest, KindBlob, KindTags, KindReferrers, KindUploads, KindUpload}).Draw(t, "kind")
		if kind == KindBase {
			return Request{Kind: kind}
		}
		r := Request{Kind: kind, Repository: anyRepository().Draw(t, "repository")}
		if kind == KindUpload {
			r.Session = rapid.StringMatching(`[a-zA-Z0-9_-]{1,160}`).Draw(t, "session")
		}
		if kind == KindTags || kind == KindUploads || kind == KindUpload {
			return r
		}
		r.Reference = anyDigest().Draw(t, "digest")
		if kind == KindManifest && rapid.Bool().Draw(t, "by tag") {
			r.Reference = tag(rapid.StringMatching(`[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}`).Draw(t, "tag"))
		}
		return r
	})
}

func anyRepository() *rapid.Generator[string] {
	component := `(manifests|blobs|tags|list|uploads|referrers|[a-z0-9]{1,5}((\.|_|__|-{1,3})[a-z0-9]{1,5}){0,3})`
	return rapid.StringMatching(component + `(/` + component + `){0,4}`)
}

func anyDigest() *rapid.Generator[Reference] {
	return rapid.Map(rapid.StringMatching(`sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}`), func(s string) Reference {
		return DigestReference(digest.Digest(s))
	})
}

func tag(s string) Reference { return Reference{tag: s} }

func sha(s string) Reference { return DigestReference(digest.Digest(s)) }
