package pullthrough_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"
	"golang.org/x/sync/errgroup"
)

const typeSignature = "application/vnd.example.signature"

// withReferrers gives an origin the referrers API, in pages of one descriptor, for one repository.
func (o *origin) withReferrers(repository string, descriptors ...map[string]any) {
	prefix := "/v2/" + repository + "/referrers/"
	o.fail(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if !strings.HasPrefix(r.URL.Path, prefix) {
			next.ServeHTTP(w, r)
			return
		}
		page := 0
		_, _ = fmt.Sscanf(r.URL.Query().Get("token"), "p%d", &page)
		if page+1 < len(descriptors) {
			w.Header().Set("Link", fmt.Sprintf(`<%s?token=p%d>; rel="next"`, r.URL.Path, page+1))
		}
		w.Header().Set("Content-Type", typeIndex)
		_ = json.NewEncoder(w).Encode(map[string]any{
			"schemaVersion": 2, "mediaType": typeIndex, "manifests": descriptors[min(page, len(descriptors)):min(page+1, len(descriptors))],
		})
	})
}

func (o *origin) pushReferrer(t *testing.T, repository, artifactType string) (map[string]any, []byte) {
	t.Helper()
	conf := o.pushBlob(t, repository, []byte("{}"))
	body := document(t, map[string]any{
		"schemaVersion": 2, "mediaType": typeManifest, "artifactType": artifactType,
		"config": descriptorOf("application/vnd.oci.empty.v1+json", conf, 2), "layers": []any{},
	})
	d := o.pushManifest(t, repository, "", typeManifest, body)
	one := descriptorOf(typeManifest, d, len(body))
	one["artifactType"] = artifactType
	one["annotations"] = map[string]any{"kept": "as it is"}
	return one, body
}

func digestsOf(t *testing.T, r reply) []string {
	t.Helper()
	r.want(t, 200, nil)
	if got := r.Header.Get("Content-Type"); got != typeIndex {
		t.Errorf("Content-Type: got %q, want an index", got)
	}
	var index struct {
		SchemaVersion int
		MediaType     string
		Manifests     []struct{ Digest string }
	}
	must(t, json.Unmarshal(r.body, &index))
	if index.SchemaVersion != 2 || index.MediaType != typeIndex || index.Manifests == nil {
		t.Errorf("the answer is no index with a list: %s", r.body)
	}
	digests := make([]string, 0, len(index.Manifests))
	for _, one := range index.Manifests {
		digests = append(digests, one.Digest)
	}
	return digests
}

func wantDigests(t *testing.T, r reply, want ...map[string]any) {
	t.Helper()
	digests := []string{}
	for _, one := range want {
		digests = append(digests, one["digest"].(digest.Digest).String())
	}
	if diff := cmp.Diff(digests, digestsOf(t, r)); diff != "" {
		t.Errorf("referrers (-want +got):\n%s", diff)
	}
}

func TestReferrersOfTheAPIAreFollowedToTheLastPageKeptAndFiltered(t *testing.T) {
	o := newOrigin(t)
	img := o.pushImage(t, "team/app", "1", 100)
	signature, body := o.pushReferrer(t, "team/app", typeSignature)
	sbom, _ := o.pushReferrer(t, "team/app", "application/spdx+json")
	o.withReferrers("team/app", signature, sbom)
	r := start(t, setup{upstreams: []string{o.URL}})
	path := "team/app/referrers/" + img.manifest.String()

	all := r.get(t, path)
	wantDigests(t, all, signature, sbom)
	if !containsText(all.body, `"kept":"as it is"`) || all.Header.Get("OCI-Filters-Applied") != "" {
		t.Errorf("got %s with OCI-Filters-Applied %q", all.body, all.Header.Get("OCI-Filters-Applied"))
	}
	wantAsked(t, o, "GET "+path, "GET "+path)
	some := r.get(t, path+"?artifactType="+typeSignature)
	wantDigests(t, some, signature)
	if got := some.Header.Get("OCI-Filters-Applied"); got != "artifactType" {
		t.Errorf("OCI-Filters-Applied: got %q", got)
	}
	wantDigests(t, r.get(t, path+"?artifactType=none"))
	head := r.do(t, http.MethodHead, path)
	if head.StatusCode != http.StatusOK || head.ContentLength != int64(len(all.body)) {
		t.Errorf("HEAD: got %d and length %d, want 200 and %d", head.StatusCode, head.ContentLength, len(all.body))
	}
	wantAsked(t, o)
	r.get(t, "team/app/manifests/"+signature["digest"].(digest.Digest).String()).want(t, 200, body)
}

func TestReferrersOfAnUpstreamWithoutTheAPIAreThoseOfItsTag(t *testing.T) {
	answers := map[string]fault{
		"404": status(404), "405": status(405), "400": status(400), "410": status(410),
		"a web page": func(w http.ResponseWriter, _ *http.Request, _ http.Handler) { _, _ = w.Write([]byte("<html>")) },
		"a manifest": func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
			_, _ = w.Write([]byte(`{"schemaVersion":2,"mediaType":"` + typeManifest + `"}`))
		},
	}
	for name, answer := range answers {
		t.Run(name, func(t *testing.T) {
			o := newOrigin(t)
			img := o.pushImage(t, "team/app", "1", 100)
			other := o.pushImage(t, "team/app", "2", 100)
			signature, _ := o.pushReferrer(t, "team/app", typeSignature)
			tag := "sha256-" + img.manifest.Encoded()
			o.pushManifest(t, "team/app", tag, typeIndex, document(t, map[string]any{
				"schemaVersion": 2, "mediaType": typeIndex, "manifests": []any{signature},
			}))
			o.pushImage(t, "team/app", "sha256-"+strings.Repeat("1", 64), 100)
			o.fail(func(w http.ResponseWriter, req *http.Request, next http.Handler) {
				if strings.Contains(req.URL.Path, "/referrers/") {
					answer(w, req, next)
					return
				}
				next.ServeHTTP(w, req)
			})
			r := start(t, setup{upstreams: []string{o.URL}})
			path := "team/app/referrers/" + img.manifest.String()
			wantDigests(t, r.get(t, path+"?artifactType="+typeSignature), signature)
			wantAsked(t, o, "GET "+path, "GET team/app/manifests/"+tag)
			wantDigests(t, r.get(t, "team/app/referrers/"+other.manifest.String()))
			wantDigests(t, r.get(t, "team/app/referrers/sha256:"+strings.Repeat("1", 64)))
			o.asked()
			wantDigests(t, r.get(t, "team/app/referrers/"+other.manifest.String()))
			wantAsked(t, o)
		})
	}
}

func TestReferrersAreStaleInTroubleAfterARestartToo(t *testing.T) {
	o := newOrigin(t)
	img := o.pushImage(t, "team/app", "1", 100)
	signature, body := o.pushReferrer(t, "team/app", typeSignature)
	o.withReferrers("team/app", signature)
	before := start(t, setup{upstreams: []string{o.URL}})
	path := "team/app/referrers/" + img.manifest.String()
	wantDigests(t, before.get(t, path), signature)
	before.get(t, "team/app/manifests/"+signature["digest"].(digest.Digest).String()).want(t, 200, body)
	before.close()

	r := start(t, setup{dir: before.dir, upstreams: []string{o.URL}, clock: before.clock})
	for name, trouble := range map[string]fault{
		"503": status(503), "429": status(429),
		"no answer": func(_ http.ResponseWriter, req *http.Request, _ http.Handler) { <-req.Context().Done() },
	} {
		o.fail(trouble)
		r.clock.advance(6 * time.Minute)
		stale := r.get(t, path)
		wantDigests(t, stale, signature)
		if !strings.HasPrefix(stale.Header.Get("Warning"), "299 ") {
			t.Errorf("%s: Warning: got %q", name, stale.Header.Get("Warning"))
		}
		o.CloseClientConnections()
	}
	o.fail(status(503))
	r.get(t, "team/app/referrers/"+img.layer.String()).want(t, 503, nil)
	for _, code := range []int{401, 403} {
		o.fail(status(code))
		eventually(t, "a refusal is passed on", func() bool { return r.get(t, path).StatusCode == http.StatusForbidden })
	}
	r.clock.advance(2 * time.Hour)
	o.fail(status(503))
	r.get(t, path).want(t, 503, nil)
}

func TestReferrersOfAFallbackAreAskedForUnderTheEffectiveName(t *testing.T) {
	o := newOrigin(t)
	img := o.pushImage(t, "coredns/coredns", "v1", 100)
	signature, body := o.pushReferrer(t, "coredns/coredns", typeSignature)
	r := start(t, setup{upstreams: []string{o.URL}, rules: doubled})
	r.get(t, "coredns/manifests/v1").want(t, 200, img.body)
	o.withReferrers("coredns/coredns", signature)
	o.asked()
	got := r.get(t, "coredns/referrers/"+img.manifest.String())
	wantDigests(t, got, signature)
	if effective := got.Header.Get("RegistryHub-Effective-Repository"); effective != "coredns/coredns" {
		t.Errorf("RegistryHub-Effective-Repository: got %q", effective)
	}
	d := signature["digest"].(digest.Digest).String()
	r.get(t, "coredns/manifests/"+d).want(t, 200, body)
	wantAsked(t, o, "GET coredns/coredns/referrers/"+img.manifest.String(), "GET coredns/coredns/manifests/"+d)
}

func TestReferrersBeyondTheLimitsAreRefusedCleanly(t *testing.T) {
	endless := func(size int) fault {
		return func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
			w.Header().Set("Link", `<`+r.URL.Path+`?token=again>; rel="next"`)
			_, _ = fmt.Fprintf(w, `{"schemaVersion":2,"mediaType":%q,"manifests":[],"padding":%q}`, typeIndex, strings.Repeat("x", size))
		}
	}
	for name, tc := range map[string]struct {
		answer fault
		atMost int
	}{
		"pages without end":   {endless(0), 64},
		"one page too large":  {endless(4 << 20), 1},
		"pages of 3 MiB each": {endless(3 << 20), 2},
	} {
		t.Run(name, func(t *testing.T) {
			o := newOrigin(t)
			o.fail(tc.answer)
			r := start(t, setup{upstreams: []string{o.URL}})
			r.get(t, "team/app/referrers/"+missing).want(t, 503, nil)
			if n := len(o.asked()); n != tc.atMost {
				t.Errorf("the upstream was asked %d times, want %d", n, tc.atMost)
			}
		})
	}
}

func TestReferrersAndTagsAreOneQuestionOfAllWhoAskAtOnce(t *testing.T) {
	o := newOrigin(t)
	img := o.pushImage(t, "team/app", "1", 100)
	o.withReferrers("team/app")
	r := start(t, setup{upstreams: []string{o.URL}})
	for _, path := range []string{"team/app/referrers/" + img.manifest.String(), "team/app/tags/list"} {
		var group errgroup.Group
		for range 20 {
			group.Go(func() error { return pull(t, r, path) })
		}
		must(t, group.Wait())
		wantAsked(t, o, "GET "+path)
	}
}

func TestListsAreNoManifests(t *testing.T) {
	o := newOrigin(t)
	img := o.pushImage(t, "team/app", "1", 100)
	o.withReferrers("team/app")
	r := start(t, setup{upstreams: []string{o.URL}})
	for _, path := range []string{"team/app/referrers/" + img.manifest.String(), "team/app/tags/list"} {
		kept := r.get(t, path)
		kept.want(t, 200, nil)
		r.get(t, "team/app/manifests/"+digest.FromBytes(kept.body).String()).want(t, 404, nil)
		r.get(t, "team/app/blobs/"+digest.FromBytes(kept.body).String()).want(t, 404, nil)
	}
	r.get(t, "team/app/_lists/manifests/tags").want(t, 400, nil)
}
