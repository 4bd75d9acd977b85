package pullthrough_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	"github.com/prometheus/client_golang/prometheus"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	config "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/proxy/metrics"
	"github.com/registryhub/registryhub/proxy/pullthrough"
	"github.com/registryhub/registryhub/proxy/rules"
	"github.com/registryhub/registryhub/proxy/upstream"
)

// startHosts is a mirror of several hosts, each with an origin of its own.
func startHosts(t *testing.T, origins map[string]*origin) *rig {
	t.Helper()
	compiled, err := rules.Compile(nil)
	must(t, err)
	tags, err := rules.CompileTags(config.TagsConfiguration{RevalidateAfter: &metav1.Duration{Duration: time.Minute}})
	must(t, err)
	settings := pullthrough.Settings{Rules: compiled, Tags: tags}
	for name, o := range origins {
		client, err := upstream.New(config.UpstreamConfiguration{Name: name, URL: o.URL}, upstream.Timeouts{})
		must(t, err)
		t.Cleanup(client.Close)
		settings.Hosts = append(settings.Hosts, pullthrough.Host{Name: name, Upstreams: []*upstream.Client{client}})
	}
	r := &rig{dir: t.TempDir(), events: &events{}}
	r.mirror, err = pullthrough.New(pullthrough.Options{
		Hub: "hub", Store: openStore(t, r.dir), Logger: r.events.logger(), Metrics: metrics.New(prometheus.NewRegistry()),
	}, settings)
	must(t, err)
	r.Server = httptest.NewServer(r.mirror)
	t.Cleanup(func() {
		r.mirror.Close()
		r.CloseClientConnections()
		r.Close()
	})
	return r
}

// dripping sends the wrong bytes of a blob, and the last of them when it is told to.
func dripping(content []byte, last <-chan struct{}) fault {
	wrong := make([]byte, len(content))
	for i, b := range content {
		wrong[i] = b ^ 1
	}
	return func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if r.Method != http.MethodGet || !strings.Contains(r.URL.Path, "/blobs/") {
			next.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Content-Length", strconv.Itoa(len(wrong)))
		_, _ = w.Write(wrong[:len(wrong)-1])
		_ = http.NewResponseController(w).Flush()
		select {
		case <-last:
			_, _ = w.Write(wrong[len(wrong)-1:])
		case <-r.Context().Done():
		}
	}
}

func TestHostIsNotHarmedByTheUpstreamOfAnother(t *testing.T) {
	bad, good := newOrigin(t), newOrigin(t)
	content := random(1 << 20)
	d := bad.pushBlob(t, "team/app", content)
	good.pushBlob(t, "team/app", content)
	last := make(chan struct{})
	bad.fail(dripping(content, last))
	r := startHosts(t, map[string]*origin{"bad.test": bad, "good.test": good})
	path := "team/app/blobs/" + d.String()

	waits, err := r.open(t.Context(), http.MethodGet, path+"?ns=bad.test")
	must(t, err)
	for _, ns := range []string{"?ns=good.test", "?ns=GOOD.test"} {
		wantContent(t, r, path+ns, d)
	}
	close(last)
	if n, err := io.Copy(io.Discard, waits.Body); err == nil {
		t.Errorf("the wrong bytes were completed, %d of them", n)
	}
	must(t, waits.Body.Close())
	eventually(t, "what is wrong is thrown away", func() bool { return len(r.events.with("transfer thrown away")) > 0 })

	r.get(t, path+"?ns=bad.test", "Range", "bytes=1000-").want(t, http.StatusServiceUnavailable, nil)
	r.get(t, path+"?ns=good.test", "Range", "bytes=1000-").want(t, http.StatusPartialContent, content[1000:])
	eventually(t, "the blob of the good host is kept", func() bool {
		wantContent(t, r, path+"?ns=good.test", d)
		object, err := openStore(t, r.dir).Open(t.Context(), d)
		return err == nil && object.Close() == nil
	})
	good.asked()
	wantContent(t, r, path+"?ns=good.test", d)
	wantAsked(t, good)
}

// wantContent gets a blob, which must not take for ever.
func wantContent(t *testing.T, r *rig, path string, d digest.Digest) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	resp, err := r.open(ctx, http.MethodGet, path)
	must(t, err)
	body, err := io.ReadAll(resp.Body)
	must(t, resp.Body.Close())
	if err != nil || resp.StatusCode != http.StatusOK || digest.FromBytes(body) != d {
		t.Fatalf("GET %s: got %d, %d bytes, error %v, want the whole blob", path, resp.StatusCode, len(body), err)
	}
}
