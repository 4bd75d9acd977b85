package pullthrough_test

import (
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	config "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/proxy/pullthrough"
	"github.com/registryhub/registryhub/proxy/rules"
	"github.com/registryhub/registryhub/proxy/upstream"
)

// settingsOf name one host, served from one upstream.
func settingsOf(t *testing.T, host, url string) pullthrough.Settings {
	t.Helper()
	client, err := upstream.New(config.UpstreamConfiguration{Name: host, URL: url}, upstream.Timeouts{})
	must(t, err)
	t.Cleanup(client.Close)
	compiled, err := rules.Compile(nil)
	must(t, err)
	tags, err := rules.CompileTags(config.TagsConfiguration{RevalidateAfter: &metav1.Duration{Duration: time.Hour}})
	must(t, err)
	return pullthrough.Settings{
		Hosts: []pullthrough.Host{{Name: host, Upstreams: []*upstream.Client{client}}},
		Rules: compiled, Tags: tags,
	}
}

func TestATransferIsSharedByRequestsOfTheNextSettings(t *testing.T) {
	t.Parallel()
	before, after := newOrigin(t), newOrigin(t)
	one := before.pushImage(t, "app", "1", 1<<20)
	hold := make(chan struct{})
	before.fail(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if r.Method != http.MethodGet {
			next.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Content-Length", strconv.Itoa(len(one.content)))
		_, _ = w.Write(one.content[:1000])
		_ = http.NewResponseController(w).Flush()
		<-hold
		_, _ = w.Write(one.content[1000:])
	})
	after.pushBlob(t, "app", one.content)
	r := start(t, setup{upstreams: []string{before.URL}})
	first := make(chan reply, 2)
	path := "app/blobs/" + one.layer.String()
	go func() { first <- r.get(t, path) }()
	eventually(t, "the transfer begins", func() bool { return len(before.asked()) > 0 })
	must(t, r.mirror.Configure(settingsOf(t, "registry.test", after.URL)))
	go func() { first <- r.get(t, path) }()
	eventually(t, "the second is let in by the new upstream", func() bool {
		return cmp.Equal(after.asked(), []string{"HEAD app/blobs/" + one.layer.String()})
	})
	close(hold)
	for range 2 {
		(<-first).want(t, http.StatusOK, one.content)
	}
	wantAsked(t, after)
}

func TestNewRequestsAreOfTheNewSettings(t *testing.T) {
	t.Parallel()
	before, after := newOrigin(t), newOrigin(t)
	one, other := before.pushImage(t, "app", "1", 100), after.pushImage(t, "app", "1", 100)
	hold := make(chan struct{})
	before.fail(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		<-hold
		next.ServeHTTP(w, r)
	})
	r := start(t, setup{upstreams: []string{before.URL}})
	first := make(chan reply, 1)
	go func() { first <- r.get(t, "app/manifests/1") }()
	eventually(t, "the upstream is asked", func() bool { return len(before.asked()) > 0 })

	must(t, r.mirror.Configure(settingsOf(t, "registry.test", after.URL)))
	r.get(t, "app/manifests/1").want(t, http.StatusOK, other.body)
	close(hold)
	(<-first).want(t, http.StatusOK, one.body)

	must(t, r.mirror.Configure(settingsOf(t, "other.test", after.URL)))
	if got := r.get(t, "app/manifests/1?ns=registry.test"); got.StatusCode != http.StatusNotFound {
		t.Errorf("a host that is not named any more: got %d, want 404", got.StatusCode)
	}
	r.get(t, "app/manifests/1?ns=other.test").want(t, http.StatusOK, other.body)
}

func TestRefusedSettingsLeaveThoseInForce(t *testing.T) {
	t.Parallel()
	o := newOrigin(t)
	one := o.pushImage(t, "app", "1", 100)
	r := start(t, setup{upstreams: []string{o.URL}})
	for name, bad := range map[string]pullthrough.Settings{
		"no host":     {},
		"no upstream": {Hosts: []pullthrough.Host{{Name: "x"}}},
	} {
		if err := r.mirror.Configure(bad); err == nil {
			t.Errorf("%s: it was not refused", name)
		}
	}
	r.get(t, "app/manifests/1?ns=registry.test").want(t, http.StatusOK, one.body)
}
