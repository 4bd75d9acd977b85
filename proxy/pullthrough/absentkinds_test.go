package pullthrough_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"
	"github.com/prometheus/client_golang/prometheus"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	config "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/proxy/metrics"
	"github.com/registryhub/registryhub/proxy/rules"
)

func TestThatABlobOrAListIsAbsentIsBelievedForTenSeconds(t *testing.T) {
	content := random(1000)
	blob := "team/app/blobs/" + digest.FromBytes(content).String()
	for name, request := range map[string]string{
		"a blob": "GET " + blob, "the size of a blob": "HEAD " + blob, "a tags list": "GET team/app/tags/list",
	} {
		t.Run(name, func(t *testing.T) {
			o := newOrigin(t)
			r := start(t, setup{upstreams: []string{o.URL}})
			method, path, _ := strings.Cut(request, " ")
			r.do(t, method, path).want(t, 404, nil)
			o.pushBlob(t, "team/app", content)
			o.pushImage(t, "team/app", "1", 100)
			r.clock.advance(9 * time.Second)
			r.do(t, method, path).want(t, 404, nil)
			wantAsked(t, o, request)
			r.clock.advance(time.Second)
			r.do(t, method, path).want(t, 200, nil)
			wantAsked(t, o, request)
		})
	}
}

func TestWhatIsAbsentIsSoOfItsKindAndInItsRepositoryAlone(t *testing.T) {
	o := newOrigin(t)
	r := start(t, setup{upstreams: []string{o.URL}})
	registry := prometheus.NewRegistry()
	r.mirror.Metrics = metrics.New(registry)
	paths := []string{
		"team/app/manifests/" + missing, "team/app/blobs/" + missing, "team/app/tags/list", "team/app/manifests/tags",
		"other/manifests/" + missing, "other/blobs/" + missing, "other/tags/list",
	}
	for _, path := range paths {
		r.get(t, path).want(t, 404, nil)
		wantAsked(t, o, "GET "+path)
	}
	for _, path := range paths {
		r.get(t, path).want(t, 404, nil)
	}
	wantAsked(t, o)
	want := map[string]float64{"manifest": 3, "blob": 2, "tags": 2}
	if diff := cmp.Diff(want, absentLookups(t, registry)); diff != "" {
		t.Errorf("lookups of what is absent (-want +got):\n%s", diff)
	}
}

func absentLookups(t *testing.T, registry *prometheus.Registry) map[string]float64 {
	t.Helper()
	families, err := registry.Gather()
	must(t, err)
	counted := map[string]float64{}
	for _, family := range families {
		if family.GetName() != "registryhub_proxy_lookups_total" {
			continue
		}
		for _, one := range family.GetMetric() {
			if labels := one.GetLabel(); labels[1].GetValue() == "absent" {
				counted[labels[0].GetValue()] = one.GetCounter().GetValue()
			}
		}
	}
	return counted
}

func TestABlobThatAManifestNamesIsNotTakenForAbsent(t *testing.T) {
	o := newOrigin(t)
	img := o.pushImage(t, "team/app", "1", 1000)
	r := start(t, setup{upstreams: []string{o.URL}})
	path := "team/app/blobs/" + img.layer.String()
	o.fail(status(404))
	r.get(t, path).want(t, 404, nil)
	o.heal()
	r.get(t, path).want(t, 404, nil)
	r.get(t, "team/app/manifests/1").want(t, 200, img.body)
	r.do(t, http.MethodHead, path).want(t, 200, nil)
	r.get(t, path).want(t, 200, img.content)
}

func TestOtherUpstreamsAreAskedForWhatWasAbsentAndAListNoLongerThanItIsBelieved(t *testing.T) {
	before, after := newOrigin(t), newOrigin(t)
	img := after.pushImage(t, "team/app", "1", 1000)
	r := start(t, setup{upstreams: []string{before.URL}})
	paths := []string{"team/app/blobs/" + img.layer.String(), "team/app/tags/list"}
	for _, path := range paths {
		r.get(t, path).want(t, 404, nil)
	}
	tags, err := rules.CompileTags(config.TagsConfiguration{RevalidateAfter: &metav1.Duration{Duration: 3 * time.Second}})
	must(t, err)
	settings := settingsOf(t, "registry.test", after.URL)
	settings.Tags = tags
	must(t, r.mirror.Configure(settings))
	for _, path := range paths {
		r.get(t, path).want(t, 200, nil)
	}
	r.get(t, "other/tags/list").want(t, 404, nil)
	after.pushImage(t, "other", "1", 100)
	r.clock.advance(2 * time.Second)
	r.get(t, "other/tags/list").want(t, 404, nil)
	r.clock.advance(time.Second)
	r.get(t, "other/tags/list").want(t, 200, nil)
}
