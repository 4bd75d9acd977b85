package collect_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/opencontainers/go-digest"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
	"golang.org/x/sync/errgroup"

	"github.com/registryhub/registryhub/proxy/access"
	"github.com/registryhub/registryhub/proxy/distspec"
	"github.com/registryhub/registryhub/proxy/local"
	"github.com/registryhub/registryhub/proxy/local/collect"
	"github.com/registryhub/registryhub/proxy/local/ticket"
	"github.com/registryhub/registryhub/proxy/metrics"
	"github.com/registryhub/registryhub/proxy/store/fsstore"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// replica is a registry and a collector over a directory.
type replica struct {
	registry  *local.Registry
	collector *collect.Collector
}

func newReplica(t *testing.T, dir string, age time.Duration, now func() time.Time) replica {
	t.Helper()
	return replicaOn(t, opened(t, dir), age, now)
}

func opened(t *testing.T, dir string) *fsstore.Store {
	t.Helper()
	content, err := fsstore.Open(dir)
	must(t, err)
	return content
}

func replicaOn(t *testing.T, content collect.Store, age time.Duration, now func() time.Time) replica {
	t.Helper()
	keys, err := ticket.NewKeys(bytes.Repeat([]byte("k"), ticket.KeyLength))
	must(t, err)
	figures := metrics.New(prometheus.NewRegistry())
	return replica{
		registry: local.New(local.Options{
			Hub: "internal", Store: content, Keys: keys, Guard: access.Policy{Anonymous: access.AnonymousPush}, Logger: logr.Discard(), Metrics: figures,
		}),
		collector: collect.New(collect.Options{Hub: "internal", Store: content, Age: age, Logger: logr.Discard(), Metrics: figures, Now: now}),
	}
}

func (r replica) do(ctx context.Context, method, path, body string) (status int, answer string, header http.Header) {
	w := httptest.NewRecorder()
	r.registry.ServeHTTP(w, httptest.NewRequestWithContext(ctx, method, path, strings.NewReader(body)))
	return w.Code, w.Body.String(), w.Header()
}

func descriptor(mediaType, content string) map[string]any {
	return map[string]any{"mediaType": mediaType, "digest": digest.FromString(content).String(), "size": len(content)}
}

func manifestOf(config, layer string) string {
	text, err := json.Marshal(map[string]any{
		"schemaVersion": 2, "mediaType": distspec.MediaTypeManifest, "config": descriptor("application/vnd.oci.image.config.v1+json", config),
		"layers": []any{descriptor("application/vnd.oci.image.layer.v1.tar", layer)},
	})
	if err != nil {
		panic(err)
	}
	return string(text)
}

// push pushes an image as clients do, mounting its layer if it can. It reports whether the image was acknowledged.
func (r replica) push(ctx context.Context, repository, tag, config, layer, from string) (bool, error) {
	for _, blob := range []string{config, layer} {
		d := digest.FromString(blob).String()
		if status, _, _ := r.do(ctx, http.MethodHead, "/v2/"+repository+"/blobs/"+d, ""); status == http.StatusOK {
			continue
		}
		status, _, header := r.do(ctx, http.MethodPost, "/v2/"+repository+"/blobs/uploads/?mount="+d+"&from="+from, "")
		if status == http.StatusAccepted {
			status, _, _ = r.do(ctx, http.MethodPut, header.Get("Location")+"?digest="+d, blob)
		}
		if status == http.StatusNotFound {
			return false, nil // it was collected before it was linked: a client begins anew
		}
		if status != http.StatusCreated {
			return false, fmt.Errorf("pushing a blob: %d", status)
		}
	}
	status, answer, _ := r.do(ctx, http.MethodPut, "/v2/"+repository+"/manifests/"+tag, manifestOf(config, layer))
	switch {
	case status == http.StatusCreated:
		return true, nil
	case status == http.StatusNotFound && strings.Contains(answer, string(distspec.CodeManifestBlobUnknown)):
		return false, nil // it took longer than what it brought was kept for
	case status == http.StatusServiceUnavailable:
		return false, nil // so did the manifest itself
	}
	return false, fmt.Errorf("pushing a manifest: %d %s", status, answer)
}

func (r replica) pull(ctx context.Context, repository, tag, config, layer string) error {
	want := map[string]string{"manifests/" + tag: manifestOf(config, layer)}
	for _, blob := range []string{config, layer} {
		want["blobs/"+digest.FromString(blob).String()] = blob
	}
	for path, content := range want {
		if status, body, _ := r.do(ctx, http.MethodGet, "/v2/"+repository+"/"+path, ""); status != http.StatusOK || body != content {
			return fmt.Errorf("%s/%s: %d, %d bytes", repository, path, status, len(body))
		}
	}
	return nil
}

func TestWhatNothingNamesIsRemoved(t *testing.T) {
	dir := t.TempDir()
	now := time.Now()
	r := newReplica(t, dir, collect.DefaultAge, func() time.Time { return now })
	ctx := t.Context()
	for _, image := range []struct{ repository, tag, config, layer string }{
		{"team/a", "v1", "{}", "shared"}, {"team/a", "v2", `{"a":1}`, "of a alone"}, {"team/b", "v1", "{}", "shared"}, {"team/c", "v1", "{}", "of c"},
	} {
		if ok, err := r.push(ctx, image.repository, image.tag, image.config, image.layer, "none"); !ok || err != nil {
			t.Fatal(err)
		}
	}
	deleted := digest.FromString(manifestOf(`{"a":1}`, "of a alone")).String()
	r.do(ctx, http.MethodPost, "/v2/team/a/blobs/uploads/?digest="+digest.FromString("of nothing").String(), "of nothing")
	if status, _, _ := r.do(ctx, http.MethodDelete, "/v2/team/a/manifests/"+deleted, ""); status != http.StatusAccepted {
		t.Fatal(status)
	}
	collected := func(want collect.Freed) {
		t.Helper()
		got, err := r.collector.Collect(ctx)
		if err != nil || got != want {
			t.Errorf("got %+v and error %v, want %+v", got, err, want)
		}
	}
	collected(collect.Freed{})
	now = now.Add(collect.DefaultAge + time.Minute)
	garbage := []string{`{"a":1}`, "of a alone", "of nothing", manifestOf(`{"a":1}`, "of a alone")}
	if got, err := r.collector.Collect(ctx); err != nil || got.Links != 3 || got.Objects != 4 || got.Bytes <= 0 {
		t.Errorf("got %+v and error %v, want 3 links and 4 objects", got, err)
	}
	collected(collect.Freed{})
	for _, content := range garbage {
		if _, err := os.Stat(pathOf(dir, content)); !os.IsNotExist(err) {
			t.Errorf("%.20q is there still: %v", content, err)
		}
	}
	for _, repository := range []string{"team/a", "team/b"} {
		must(t, r.pull(ctx, repository, "v1", "{}", "shared"))
	}
	must(t, r.pull(ctx, "team/c", "v1", "{}", "of c"))
}

func TestARepositoryWithAManifestThatCannotBeReadIsLeftAlone(t *testing.T) {
	dir := t.TempDir()
	r := newReplica(t, dir, collect.DefaultAge, func() time.Time { return time.Now().Add(48 * time.Hour) })
	if ok, err := r.push(t.Context(), "team/a", "v1", "{}", "layer", "none"); !ok || err != nil {
		t.Fatal(err)
	}
	must(t, os.Truncate(pathOf(dir, manifestOf("{}", "layer")), 5))
	if freed, err := r.collector.Collect(t.Context()); err != nil || freed.Links != 0 || freed.Objects != 0 {
		t.Errorf("got %+v and error %v", freed, err)
	}
}

// TestNoImageThatWasAcknowledgedLosesAByte pushes, mounts, deletes and collects from several replicas at once, with an age that is
// short enough to meet pushes that are under way.
func TestNoImageThatWasAcknowledgedLosesAByte(t *testing.T) {
	t.Run("in a directory", func(t *testing.T) {
		dir := t.TempDir()
		loseNothing(t, 40, func() collect.Store { return opened(t, dir) })
	})
	t.Run("in a bucket", func(t *testing.T) {
		b := newBucket(t)
		loseNothing(t, 12, func() collect.Store { return b.open(t) })
	})
}

func loseNothing(t *testing.T, turns int, place func() collect.Store) {
	t.Helper()
	const age = 50 * time.Millisecond
	var replicas []replica
	for range 3 {
		replicas = append(replicas, replicaOn(t, place(), age, time.Now))
	}
	ctx, stop := context.WithCancel(t.Context())
	var pushing, collecting errgroup.Group
	var acknowledged, freed atomic.Int64
	for i := range 6 {
		r, repository := replicas[i%3], fmt.Sprintf("team/%d", i)
		pushing.Go(func() error {
			for turn := range turns {
				config, layer := fmt.Sprintf(`{"turn":%d}`, turn%5), strings.Repeat(fmt.Sprintf("layer %d;", turn%7), 500)
				ok, err := r.push(ctx, repository, "v1", config, layer, fmt.Sprintf("team/%d", rand.IntN(6)))
				if err != nil {
					return err
				}
				if !ok {
					continue
				}
				acknowledged.Add(1)
				if err := replicas[(i+turn)%3].pull(ctx, repository, "v1", config, layer); err != nil {
					return fmt.Errorf("after it was acknowledged: %w", err)
				}
				if turn%3 == 0 {
					d := digest.FromString(manifestOf(config, layer)).String()
					if status, _, _ := r.do(ctx, http.MethodDelete, "/v2/"+repository+"/manifests/"+d, ""); status != http.StatusAccepted {
						return fmt.Errorf("deleting: %d", status)
					}
				} else if err := replicas[(i+turn+1)%3].pull(ctx, repository, "v1", config, layer); err != nil {
					return fmt.Errorf("a while after it was acknowledged: %w", err)
				}
			}
			return nil
		})
	}
	for _, r := range replicas {
		collecting.Go(func() error {
			for ctx.Err() == nil {
				n, err := r.collector.Collect(ctx)
				if err != nil && ctx.Err() == nil {
					return err
				}
				freed.Add(n.Links + n.Objects)
			}
			return nil
		})
	}
	err := pushing.Wait()
	stop()
	must(t, err)
	must(t, collecting.Wait())
	if acknowledged.Load() < 20 || freed.Load() == 0 {
		t.Errorf("%d images were acknowledged, and %d things removed: neither is a test of the other", acknowledged.Load(), freed.Load())
	}
}

func pathOf(dir, content string) string {
	d := digest.FromString(content)
	return filepath.Join(dir, "blobs", "sha256", d.Encoded()[:2], d.Encoded())
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
