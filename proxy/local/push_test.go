package local_test

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sync/errgroup"

	"github.com/registryhub/registryhub/proxy/access"
	"github.com/registryhub/registryhub/proxy/distspec"
	"github.com/registryhub/registryhub/proxy/local"
)

const content = "the content of a blob"

// sessions are ways to push a blob through an upload, each of which ends with 201.
var sessions = map[string]func(*testing.T, *rig, string, digest.Digest) reply{
	"POST then PUT (end-4a, end-6)": func(t *testing.T, r *rig, repository string, d digest.Digest) reply {
		t.Helper()
		return r.do("PUT", r.begin(repository)+"?digest="+d.String(), content, "Content-Type: application/octet-stream")
	},
	"one POST (end-4b)": func(t *testing.T, r *rig, repository string, d digest.Digest) reply {
		t.Helper()
		return r.do("POST", "/v2/"+repository+"/blobs/uploads/?digest="+d.String(), content)
	},
	"POST without the slash behind uploads": func(t *testing.T, r *rig, repository string, d digest.Digest) reply {
		t.Helper()
		at := r.do("POST", "/v2/"+repository+"/blobs/uploads", "").is(t, http.StatusAccepted).location(t)
		return r.do("PUT", at+"?digest="+d.String(), content)
	},
	"one PATCH, which streams (end-5)": func(t *testing.T, r *rig, repository string, d digest.Digest) reply {
		t.Helper()
		streamed := struct{ *strings.Reader }{strings.NewReader(content)} // of a length that nobody knows beforehand
		at := r.send("PATCH", r.begin(repository), streamed).is(t, http.StatusAccepted).
			has(t, "Range", "0-"+strconv.Itoa(len(content)-1)).location(t)
		return r.do("PUT", at+"?digest="+d.String(), "")
	},
	"chunks, the last by PATCH": func(t *testing.T, r *rig, repository string, d digest.Digest) reply {
		t.Helper()
		at := r.patch(t, r.begin(repository), 0, content[:5])
		at = r.patch(t, at, 5, content[5:])
		return r.do("PUT", at+"?digest="+d.String(), "")
	},
	"chunks, the last by PUT": func(t *testing.T, r *rig, repository string, d digest.Digest) reply {
		t.Helper()
		at := r.patch(t, r.begin(repository), 0, content[:5])
		return r.do("PUT", at+"?digest="+d.String(), content[5:], "Content-Range: 5-"+strconv.Itoa(len(content)-1))
	},
	"chunks to the URL of the beginning": func(t *testing.T, r *rig, repository string, d digest.Digest) reply {
		t.Helper()
		at := r.begin(repository)
		r.patch(t, at, 0, content[:5])
		r.patch(t, at, 5, content[5:])
		return r.do("PUT", at+"?digest="+d.String(), "")
	},
}

// patch adds a chunk and returns where the next goes.
func (r *rig) patch(t *testing.T, at string, offset int, chunk string) string {
	t.Helper()
	last := strconv.Itoa(offset + len(chunk) - 1)
	return r.do("PATCH", at, chunk, "Content-Range: "+strconv.Itoa(offset)+"-"+last, "Content-Type: application/octet-stream").
		is(t, http.StatusAccepted).has(t, "Range", "0-"+last).location(t)
}

func TestABlobIsPushed(t *testing.T) {
	for name, push := range sessions {
		for _, algorithm := range []digest.Algorithm{digest.SHA256, digest.SHA512} {
			t.Run(name+", "+algorithm.String(), func(t *testing.T) {
				r := newRig(t)
				d := algorithm.FromString(content)
				at := push(t, r, "team/app", d).is(t, http.StatusCreated).has(t, "Docker-Content-Digest", d.String()).location(t)
				got := r.do("GET", at, "").is(t, http.StatusOK).has(t, "Docker-Content-Digest", d.String())
				if got.body != content {
					t.Errorf("got %q, want %q", got.body, content)
				}
			})
		}
	}
}

func TestAnEmptyBlobIsPushed(t *testing.T) {
	r := newRig(t)
	d := digest.FromString("")
	at := r.do("PUT", r.begin("app")+"?digest="+d.String(), "").is(t, http.StatusCreated).location(t)
	r.do("GET", at, "").is(t, http.StatusOK).has(t, "Content-Length", "0")
	r.do("HEAD", at, "").is(t, http.StatusOK).has(t, "Content-Length", "0")
}

func TestAnUploadTellsHowFarItIs(t *testing.T) {
	r := newRig(t)
	begun := r.do("POST", "/v2/app/blobs/uploads/", "").is(t, http.StatusAccepted).has(t, "Range", "0-0").has(t, "Content-Length", "0")
	at := begun.location(t)
	r.do("GET", at, "").is(t, http.StatusNoContent).has(t, "Range", "0-0").location(t)
	next := r.patch(t, at, 0, content[:5])
	if next == at {
		t.Error("the Location is the same after a chunk")
	}
	for name, at := range map[string]string{"the newest URL": next, "an older URL": at} {
		t.Run(name, func(t *testing.T) {
			r.t = t
			on := r.do("GET", at, "").is(t, http.StatusNoContent).has(t, "Range", "0-4").location(t)
			r.do("GET", on, "").is(t, http.StatusNoContent).has(t, "Range", "0-4")
		})
	}
}

func TestAChunkInTheWrongPlaceIsNotAdded(t *testing.T) {
	const whole = "0123456789"
	tests := map[string]struct {
		method, header, query string
	}{
		"a PATCH that leaves a gap":              {"PATCH", "Content-Range: 7-9", ""},
		"a PATCH of what is there already":       {"PATCH", "Content-Range: 0-2", ""},
		"a PATCH that overlaps":                  {"PATCH", "Content-Range: 3-5", ""},
		"a PATCH whose range has a unit":         {"PATCH", "Content-Range: bytes 4-6", ""},
		"a PATCH whose range has a size":         {"PATCH", "Content-Range: 4-6/10", ""},
		"a PATCH whose range ends before it":     {"PATCH", "Content-Range: 6-4", ""},
		"a PUT that leaves a gap":                {"PUT", "Content-Range: 7-9", "?digest=" + digest.FromString(whole).String()},
		"a PUT of what is there already":         {"PUT", "Content-Range: 0-2", "?digest=" + digest.FromString(whole).String()},
		"a PUT without a range to an older URL":  {"PUT", "X: y", "?digest=" + digest.FromString(whole).String()},
		"a PATCH without a range, to an old URL": {"PATCH", "X: y", ""},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			first := r.begin("app")
			now := r.patch(t, first, 0, whole[:4])
			at := now
			if tc.header == "X: y" {
				at = first
			}
			refused := r.do(tc.method, at+tc.query, "456", tc.header).is(t, http.StatusRequestedRangeNotSatisfiable)
			if refused.Header.Get("Location") == "" && !strings.Contains(refused.body, "RANGE_INVALID") {
				t.Errorf("the answer does not say where the upload is: %s", refused.body)
			}
			on := r.do("GET", at, "").is(t, http.StatusNoContent).has(t, "Range", "0-3").location(t)
			r.do("PUT", on+"?digest="+digest.FromString(whole).String(), whole[4:], "Content-Range: 4-9").is(t, http.StatusCreated)
		})
	}
}

func TestOfTwoChunksWithOneURLOneIsAdded(t *testing.T) {
	for name, place := range places {
		t.Run(name, func(t *testing.T) { addTwice(t, place(t)) })
	}
}

func addTwice(t *testing.T, replicas []*rig) {
	t.Helper()
	at := replicas[0].patch(t, replicas[0].begin("app"), 0, "begin,")
	statuses := make([]int, 9)
	var group errgroup.Group
	for i := range statuses {
		group.Go(func() error {
			statuses[i] = replicas[i%3].do("PATCH", at, strings.Repeat(strconv.Itoa(i), 1000)).StatusCode
			return nil
		})
	}
	must(t, group.Wait())
	winner := ""
	for i, status := range statuses {
		switch {
		case status == http.StatusAccepted && winner == "":
			winner = strings.Repeat(strconv.Itoa(i), 1000)
		case status != http.StatusRequestedRangeNotSatisfiable:
			t.Errorf("chunk %d: got %d, want 416 for all but one: %v", i, status, statuses)
		}
	}
	d := digest.FromString("begin," + winner)
	replicas[1].do("PUT", at+"?digest="+d.String(), "").is(t, http.StatusCreated)
	if got := replicas[2].do("GET", "/v2/app/blobs/"+d.String(), "").is(t, http.StatusOK); got.body != "begin,"+winner {
		t.Errorf("got %d bytes of something else", len(got.body))
	}
}

func TestAnUploadGoesOnAtAnyReplica(t *testing.T) {
	for name, place := range places {
		t.Run(name, func(t *testing.T) { goOn(t, place(t)) })
	}
}

func goOn(t *testing.T, replicas []*rig) {
	t.Helper()
	a, b, c := replicas[0], replicas[1], replicas[2]
	at := b.patch(t, a.begin("app"), 0, content[:3])
	at = c.patch(t, at, 3, content[3:9])
	d := digest.FromString(content)
	a.do("PUT", at+"?digest="+d.String(), content[9:]).is(t, http.StatusCreated)
	for _, replica := range []*rig{a, b, c} {
		if got := replica.do("GET", "/v2/app/blobs/"+d.String(), "").is(t, http.StatusOK); got.body != content {
			t.Errorf("got %q, want %q", got.body, content)
		}
	}
}

func TestAnUploadURLIsGoodForItsUploadAlone(t *testing.T) {
	now := time.Now()
	r := newRig(t, withNow(func() time.Time { return now }))
	at := r.begin("team/app")
	session := at[strings.LastIndex(at, "/")+1:]
	wrong := map[string]string{
		"another repository": "/v2/team/other/blobs/uploads/" + session,
		"one that was cut":   at[:len(at)-2],
		"one that is forged": strings.Replace(at, session[:8], "AAAAAAAA", 1),
		"none":               "/v2/team/app/blobs/uploads/x",
	}
	refuse := func(t *testing.T, at string) {
		t.Helper()
		r.t = t
		for _, method := range []string{"GET", "PATCH", "DELETE"} {
			a := r.do(method, at, "bytes").is(t, http.StatusNotFound)
			if method == "GET" && !strings.Contains(a.body, string(distspec.CodeBlobUploadUnknown)) {
				t.Errorf("got %s", a.body)
			}
		}
		r.do("PUT", at+"?digest="+digest.FromString("bytes").String(), "bytes").is(t, http.StatusNotFound, distspec.CodeBlobUploadUnknown)
	}
	for name, at := range wrong {
		t.Run(name, func(t *testing.T) { refuse(t, at) })
	}
	r.t = t
	r.do("GET", at, "").is(t, http.StatusNoContent).has(t, "Range", "0-0")
	now = now.Add(local.UploadsExpire)
	t.Run("when it is too late", func(t *testing.T) { refuse(t, at) })
	r.t = t
	r.do("GET", "/v2/team/other/blobs/"+digest.FromString("bytes").String(), "").is(t, http.StatusNotFound)
}

func TestWhatIsWrongWithABlobIsSaid(t *testing.T) {
	d := digest.FromString(content).String()
	tests := map[string]struct {
		do     func(*rig) reply
		status int
		code   distspec.Code
	}{
		"another digest, by PUT":       {func(r *rig) reply { return r.do("PUT", r.begin("app")+"?digest="+d, "something else") }, 400, distspec.CodeDigestInvalid},
		"another digest, by POST":      {func(r *rig) reply { return r.do("POST", "/v2/app/blobs/uploads/?digest="+d, "something else") }, 400, distspec.CodeDigestInvalid},
		"no digest":                    {func(r *rig) reply { return r.do("PUT", r.begin("app"), content) }, 400, distspec.CodeDigestInvalid},
		"a malformed digest, by PUT":   {func(r *rig) reply { return r.do("PUT", r.begin("app")+"?digest=sha256:abc", content) }, 400, distspec.CodeDigestInvalid},
		"a malformed digest, by POST":  {func(r *rig) reply { return r.do("POST", "/v2/app/blobs/uploads/?digest=md5:abc", content) }, 400, distspec.CodeDigestInvalid},
		"a malformed digest to mount":  {func(r *rig) reply { return r.do("POST", "/v2/app/blobs/uploads/?mount=x&from=y", "") }, 400, distspec.CodeDigestInvalid},
		"a chunk of another length":    {func(r *rig) reply { return r.do("PATCH", r.begin("app"), "abc", "Content-Range: 0-9") }, 400, distspec.CodeSizeInvalid},
		"a blob that is not there":     {func(r *rig) reply { return r.do("GET", "/v2/app/blobs/"+d, "") }, 404, distspec.CodeBlobUnknown},
		"a blob to delete":             {func(r *rig) reply { return r.do("DELETE", "/v2/app/blobs/"+d, "") }, 404, distspec.CodeBlobUnknown},
		"a method that is none of its": {func(r *rig) reply { return r.do("PATCH", "/v2/app/blobs/"+d, "") }, 405, distspec.CodeUnsupported},
		"uploads that are asked for":   {func(r *rig) reply { return r.do("GET", "/v2/app/blobs/uploads/", "") }, 405, distspec.CodeUnsupported},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			tc.do(newRig(t)).is(t, tc.status, tc.code)
		})
	}
}

func TestADigestThatWasWrongCanBeCorrected(t *testing.T) {
	r := newRig(t)
	at := r.patch(t, r.begin("app"), 0, content)
	r.do("PUT", at+"?digest="+digest.FromString("wrong").String(), "").is(t, http.StatusBadRequest, distspec.CodeDigestInvalid)
	r.do("GET", "/v2/app/blobs/"+digest.FromString("wrong").String(), "").is(t, http.StatusNotFound)
	r.do("PUT", at+"?digest="+digest.FromString(content).String(), "").is(t, http.StatusCreated)
}

func TestAnUploadIsCancelled(t *testing.T) {
	r := newRig(t)
	at := r.patch(t, r.begin("app"), 0, content)
	r.do("DELETE", at, "").is(t, http.StatusNoContent)
	r.do("DELETE", at, "").is(t, http.StatusNotFound, distspec.CodeBlobUploadUnknown)
	r.do("GET", at, "").is(t, http.StatusNotFound, distspec.CodeBlobUploadUnknown)
	r.do("PATCH", at, "x").is(t, http.StatusNotFound, distspec.CodeBlobUploadUnknown)
}

func TestABlobIsMounted(t *testing.T) {
	r := newRig(t)
	d := r.pushBlob("team/a", content)
	mount := "?mount=" + d.String()
	at := r.do("POST", "/v2/team/b/blobs/uploads/"+mount+"&from=team/a", "").is(t, http.StatusCreated).
		has(t, "Docker-Content-Digest", d.String()).location(t)
	r.do("GET", at, "").is(t, http.StatusOK)
	misses := map[string]string{
		"from one that has it not": mount + "&from=team/none", "from nowhere, of what nobody has": "?mount=" + digest.FromString("nobody's").String(), "from what is no name": mount + "&from=../a",
		"of a blob that is not there": "?mount=" + digest.FromString("none").String() + "&from=team/a",
	}
	for name, query := range misses {
		t.Run(name, func(t *testing.T) {
			r.t = t
			at := r.do("POST", "/v2/team/c/blobs/uploads/"+query, "").is(t, http.StatusAccepted).location(t)
			r.do("DELETE", at, "").is(t, http.StatusNoContent)
		})
	}
	r.t = t
	r.do("POST", "/v2/team/a/blobs/uploads/"+mount, "").is(t, http.StatusCreated)
	r.do("POST", "/v2/team/d/blobs/uploads/"+mount, "").is(t, http.StatusCreated)
	r.do("GET", "/v2/team/d/blobs/"+d.String(), "").is(t, http.StatusOK)
	r.do("GET", "/v2/team/c/blobs/"+d.String(), "").is(t, http.StatusNotFound)
}

// onlyRepository lets callers pull from one repository alone.
type onlyRepository string

func (o onlyRepository) Check(_ http.Header, _ *http.Request, repository string, action access.Action) error {
	if action == access.Pull && repository != string(o) {
		return distspec.Denied(nil)
	}
	return nil
}

func (o onlyRepository) MayMount(_ *http.Request, repository string) bool {
	return repository == string(o)
}

func TestABlobIsMountedFromWhereTheCallerMayPullAlone(t *testing.T) {
	dir := t.TempDir()
	newReplica(t, dir).pushBlob("secret", content)
	r := newReplica(t, dir, func(o *local.Options) { o.Guard = onlyRepository("mine") })
	for _, from := range []string{"", "&from=secret"} {
		r.do("POST", "/v2/mine/blobs/uploads/?mount="+digest.FromString(content).String()+from, "").is(t, http.StatusAccepted)
	}
	r.do("GET", "/v2/mine/blobs/"+digest.FromString(content).String(), "").is(t, http.StatusNotFound)
}

// counting counts how often it is asked what may be mounted, which is nothing.
type counting struct {
	access.Policy
	asked *int
}

func (c counting) MayMount(*http.Request, string) bool {
	*c.asked++
	return false
}

func TestWhetherABlobMayBeMountedFromAnywhereIsAskedAFewTimesAlone(t *testing.T) {
	dir, asked := t.TempDir(), 0
	before := newReplica(t, dir)
	for i := range 20 {
		before.pushBlob(fmt.Sprintf("team/app%d", i), content)
	}
	r := newReplica(t, dir, func(o *local.Options) {
		o.Guard = counting{Policy: access.Policy{Anonymous: access.AnonymousPush}, asked: &asked}
	})
	r.do("POST", "/v2/mine/blobs/uploads/?mount="+digest.FromString(content).String(), "").is(t, http.StatusAccepted)
	if asked != 8 {
		t.Errorf("asked %d times, want 8", asked)
	}
}

func TestAFullStoreRefusesPushesAndServes(t *testing.T) {
	dir := t.TempDir()
	before := newReplica(t, dir)
	before.pushImage("app", "v1", "one", nil)
	at := before.begin("app")
	r := newReplica(t, dir, func(o *local.Options) { o.Full = func() bool { return true } })
	r.do("POST", "/v2/app/blobs/uploads/", "").is(t, http.StatusInsufficientStorage)
	r.do("PATCH", at, content).is(t, http.StatusInsufficientStorage)
	r.putManifest("app", "v2", image("x", nil, nil)).is(t, http.StatusInsufficientStorage)
	r.do("GET", "/v2/app/manifests/v1", "").is(t, http.StatusOK)
	r.do("DELETE", "/v2/app/manifests/v1", "").is(t, http.StatusAccepted)
}

func TestARegistryWithoutAStoreToPushToIsReadOnly(t *testing.T) {
	dir := t.TempDir()
	manifest := newReplica(t, dir).pushImage("app", "v1", "one", nil)
	r := newReplica(t, dir, func(o *local.Options) { o.Store = readOnly{o.Store} })
	r.do("GET", "/v2/app/manifests/v1", "").is(t, http.StatusOK)
	r.do("POST", "/v2/app/blobs/uploads/", "").is(t, http.StatusMethodNotAllowed).has(t, "Allow", "")
	r.do("PUT", "/v2/app/manifests/v1", "{}").is(t, http.StatusMethodNotAllowed).has(t, "Allow", "GET, HEAD")
	for _, path := range []string{"manifests/v1", "manifests/" + digest.FromString(manifest).String(), "blobs/" + digest.FromString("layer of one").String()} {
		r.do("DELETE", "/v2/app/"+path, "").is(t, http.StatusMethodNotAllowed, distspec.CodeUnsupported)
	}
}
