package pullthrough_test

import (
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	config "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/proxy/pullthrough"
)

var (
	canary      = config.CanaryName{Architecture: "amd64", Nonce: strings.Repeat("0a", 16)}
	canaryImage = config.NewCanaryImage("uid", canary)
)

func TestACanaryIsAnsweredByTheMirrorItself(t *testing.T) {
	t.Parallel()
	up := newOrigin(t)
	r := start(t, setup{
		upstreams: []string{up.URL}, hubUID: "uid",
		repositories: config.RepositoriesConfiguration{Allow: []string{"only/this"}},
	})
	cases := map[string]struct {
		path string
		want config.CanaryObject
	}{
		"the manifest by its tag":    {"/manifests/" + config.CanaryTag, canaryImage.Manifest},
		"the manifest by its digest": {"/manifests/" + canaryImage.Manifest.Digest, canaryImage.Manifest},
		"the configuration":          {"/blobs/" + canaryImage.Config.Digest, canaryImage.Config},
		"the layer":                  {"/blobs/" + canaryImage.Layer.Digest, canaryImage.Layer},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			path := canary.Repository() + tc.path + "?ns=registry.test"
			got := r.get(t, path, "Accept-Encoding", "zstd, gzip")
			got.want(t, http.StatusOK, tc.want.Content)
			head := r.do(t, http.MethodHead, path)
			head.want(t, http.StatusOK, nil)
			for header, want := range map[string]string{
				"Docker-Content-Digest": tc.want.Digest,
				"Content-Length":        strconv.Itoa(len(tc.want.Content)),
				"OCI-Namespace":         "registry.test",
				"Content-Encoding":      "",
			} {
				if diff := cmp.Diff([]string{want, want}, []string{got.Header.Get(header), head.Header.Get(header)}); diff != "" {
					t.Errorf("%s of GET and HEAD (-want +got):\n%s", header, diff)
				}
			}
		})
	}
	if got := r.get(t, canary.Repository()+"/manifests/v1").Header.Get("Content-Type"); got != typeManifest {
		t.Errorf("Content-Type of the manifest: got %q", got)
	}
	part := r.get(t, canary.Repository()+"/blobs/"+canaryImage.Config.Digest, "Range", "bytes=5-")
	part.want(t, http.StatusPartialContent, canaryImage.Config.Content[5:])
	wantAsked(t, up)
	if _, err := openStore(t, r.dir).Open(t.Context(), "sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef"); err == nil {
		t.Error("the canary's layer is in the store")
	}
}

func TestWhatIsNoCanaryOfTheHub(t *testing.T) {
	t.Parallel()
	other := config.NewCanaryImage("another", canary)
	cases := map[string]struct {
		uid, path string
	}{
		"a hub that has not been told who it is": {"", "/manifests/v1"},
		"another hub's manifest":                 {"uid", "/manifests/" + other.Manifest.Digest},
		"another hub's configuration":            {"uid", "/blobs/" + other.Config.Digest},
		"a tag of another version":               {"uid", "/manifests/v2"},
		"its tags":                               {"uid", "/tags/list"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			up := newOrigin(t)
			r := start(t, setup{upstreams: []string{up.URL}, hubUID: tc.uid})
			r.get(t, canary.Repository()+tc.path).want(t, http.StatusNotFound, nil)
			wantAsked(t, up)
		})
	}
}

// noOthers stand for hosts of which none is allowed.
type noOthers struct{}

func (noOthers) Host(string) (*pullthrough.Host, error) { return nil, nil }

func TestTheCanaryOfEveryOtherHostIsAnsweredByWhomeverStandsForThem(t *testing.T) {
	t.Parallel()
	up := newOrigin(t)
	one := up.pushImage(t, "app", "1", 100)
	cases := map[string]struct {
		others pullthrough.Others
		path   string
		want   int
	}{
		"a hub for every other host":                {noOthers{}, canary.Repository() + "/manifests/v1?ns=any.registryhub.invalid", http.StatusOK},
		"which has nothing else of that name":       {noOthers{}, "app/manifests/1?ns=any.registryhub.invalid", http.StatusNotFound},
		"nor blobs":                                 {noOthers{}, "app/blobs/" + one.layer.String() + "?ns=any.registryhub.invalid", http.StatusNotFound},
		"nor the canary of a host that is none":     {noOthers{}, canary.Repository() + "/manifests/v1?ns=other.registryhub.invalid", http.StatusNotFound},
		"a hub with hosts of its own and no others": {nil, canary.Repository() + "/manifests/v1?ns=any.registryhub.invalid", http.StatusNotFound},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			r := start(t, setup{upstreams: []string{up.URL}})
			settings := settingsOf(t, "registry.test", up.URL)
			settings.HubUID, settings.Others = "uid", tc.others
			must(t, r.mirror.Configure(settings))
			got := r.get(t, tc.path)
			if got.StatusCode != tc.want {
				t.Fatalf("got %d %s, want %d", got.StatusCode, got.body, tc.want)
			}
			if tc.want == http.StatusOK {
				got.want(t, http.StatusOK, canaryImage.Manifest.Content)
			}
		})
	}
	wantAsked(t, up)
}
