package pullthrough_test

import (
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"
)

func filesIn(t *testing.T, dir string) []string {
	t.Helper()
	var files []string
	must(t, filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() {
			files = append(files, path)
		}
		return err
	}))
	return files
}

func TestNoReferrersOfWhatTheStoreHasNotLeaveNothingInIt(t *testing.T) {
	o := newOrigin(t)
	img := o.pushImage(t, "team/app", "1", 100)
	o.withReferrers("team/app")
	r := start(t, setup{upstreams: []string{o.URL}})
	r.get(t, "team/app/manifests/1").want(t, 200, img.body)
	before := filesIn(t, r.dir)
	o.asked()
	paths := []string{"team/app/referrers/" + missing, "team/app/referrers/sha256:" + strings.Repeat("1", 64), "other/referrers/" + missing}
	for _, path := range paths {
		wantDigests(t, r.get(t, path))
	}
	if diff := cmp.Diff(before, filesIn(t, r.dir)); diff != "" {
		t.Errorf("files of the store (-before +after):\n%s", diff)
	}
	o.asked()
	r.clock.advance(5*time.Minute - 1)
	for _, path := range paths {
		wantDigests(t, r.get(t, path))
		filtered := r.get(t, path+"?artifactType="+typeSignature)
		wantDigests(t, filtered)
		if got := filtered.Header.Get("OCI-Filters-Applied"); got != "artifactType" {
			t.Errorf("OCI-Filters-Applied: got %q", got)
		}
	}
	wantAsked(t, o)
	signature, _ := o.pushReferrer(t, "team/app", typeSignature)
	o.withReferrers("team/app", signature)
	r.clock.advance(1)
	wantDigests(t, r.get(t, paths[0]), signature)
	wantAsked(t, o, "GET "+paths[0])
}

func TestNoReferrersOfWhatTheStoreHasAreKept(t *testing.T) {
	o := newOrigin(t)
	img := o.pushImage(t, "team/app", "1", 100)
	o.withReferrers("team/app")
	before := start(t, setup{upstreams: []string{o.URL}})
	path := "team/app/referrers/" + img.manifest.String()
	before.get(t, "team/app/manifests/1").want(t, 200, img.body)
	wantDigests(t, before.get(t, path))
	before.close()
	o.fail(status(503))
	r := start(t, setup{dir: before.dir, upstreams: []string{o.URL}, clock: before.clock})
	r.clock.advance(10 * time.Minute)
	stale := r.get(t, path)
	wantDigests(t, stale)
	if !strings.HasPrefix(stale.Header.Get("Warning"), "299 ") {
		t.Errorf("Warning: got %q", stale.Header.Get("Warning"))
	}
}

func TestReferrersThatAreGoneAreForgotten(t *testing.T) {
	o := newOrigin(t)
	signature, body := o.pushReferrer(t, "team/app", typeSignature)
	o.withReferrers("team/app", signature)
	r := start(t, setup{upstreams: []string{o.URL}})
	path := "team/app/referrers/" + digest.FromString("a subject that nobody pulled").String()
	wantDigests(t, r.get(t, path), signature)
	o.withReferrers("team/app")
	r.clock.advance(5 * time.Minute)
	wantDigests(t, r.get(t, path))
	r.clock.advance(5 * time.Minute)
	o.fail(status(503))
	r.get(t, path).want(t, 503, nil)
	o.heal()
	r.get(t, "team/app/manifests/"+signature["digest"].(digest.Digest).String()).want(t, 200, body)
}
