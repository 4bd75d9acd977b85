package pullthrough_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	config "github.com/registryhub/registryhub/api/config/v1alpha1"
)

// doubled is the built-in rule, for any upstream.
var doubled = []config.FallbackRule{{Name: "doubled", Match: `([^/]+)`, Rewrite: "$1/$1"}}

func TestFallbackOriginal404AndFallback200(t *testing.T) {
	o := newOrigin(t)
	img := o.pushImage(t, "coredns/coredns", "v1", 100)
	r := start(t, setup{upstreams: []string{o.URL}, rules: doubled})
	got := r.get(t, "coredns/manifests/v1")
	got.want(t, 200, img.body)
	if effective := got.Header.Get("RegistryHub-Effective-Repository"); effective != "coredns/coredns" {
		t.Errorf("RegistryHub-Effective-Repository: got %q", effective)
	}
	wantAsked(t, o, "GET coredns/manifests/v1", "GET coredns/coredns/manifests/v1")
	events := r.events.with("fallback rule used")
	if len(events) != 1 {
		t.Fatalf("events: got %q, want one", events)
	}
	var event map[string]any
	must(t, json.Unmarshal([]byte(events[0]), &event))
	want := map[string]any{
		"hub": "hub", "host": "registry.test", "upstream": "up0", "rule": "doubled", "method": "GET", "status": 404.0,
		"requestedRepository": "coredns", "effectiveRepository": "coredns/coredns", "reference": "v1", "effectiveStatus": 200.0,
	}
	for _, name := range []string{"logger", "level", "msg"} {
		delete(event, name)
	}
	if diff := cmp.Diff(want, event); diff != "" {
		t.Errorf("event (-want +got):\n%s", diff)
	}
}

func TestFallbackOriginal200AndNoSecondRequest(t *testing.T) {
	o := newOrigin(t)
	img := o.pushImage(t, "coredns", "v1", 100)
	o.pushImage(t, "coredns/coredns", "v1", 100)
	r := start(t, setup{upstreams: []string{o.URL}, rules: doubled})
	r.get(t, "coredns/manifests/v1").want(t, 200, img.body)
	wantAsked(t, o, "GET coredns/manifests/v1")
}

func TestFallbackBuiltInForItsHostAloneWithoutCaseOrPort(t *testing.T) {
	cases := map[string]struct {
		url     string
		derives bool
	}{
		"the host":              {"http://registry.k8s.io", true},
		"in capitals":           {"http://Registry.K8s.IO", true},
		"with a port":           {"http://registry.k8s.io:8080", true},
		"another host":          {"http://registry.example", false},
		"a host below it":       {"http://eu.registry.k8s.io", false},
		"a host that begins so": {"http://registry.k8s.io.example", false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			o := newOrigin(t)
			img := o.pushImage(t, "coredns/coredns", "v1", 100)
			outside.mu.Lock()
			outside.handlers = map[string]http.Handler{strings.ToLower(strings.TrimPrefix(tc.url, "http://")): o}
			outside.mu.Unlock()
			r := start(t, setup{upstreams: []string{tc.url}})
			if !tc.derives {
				r.get(t, "coredns/manifests/v1").want(t, 404, nil)
				wantAsked(t, o, "GET coredns/manifests/v1")
				return
			}
			r.get(t, "coredns/manifests/v1").want(t, 200, img.body)
			wantAsked(t, o, "GET coredns/manifests/v1", "GET coredns/coredns/manifests/v1")
		})
	}
}

func TestFallbackSecondRequestIsAHit(t *testing.T) {
	o := newOrigin(t)
	img := o.pushImage(t, "coredns/coredns", "v1", 100)
	r := start(t, setup{upstreams: []string{o.URL}, rules: doubled})
	r.get(t, "coredns/manifests/v1").want(t, 200, img.body)
	o.asked()
	again := r.get(t, "coredns/manifests/v1")
	again.want(t, 200, img.body)
	if effective := again.Header.Get("RegistryHub-Effective-Repository"); effective != "coredns/coredns" {
		t.Errorf("RegistryHub-Effective-Repository on a hit: got %q", effective)
	}
	r.get(t, "coredns/manifests/"+img.manifest.String()).want(t, 200, img.body)
	wantAsked(t, o)
}

func TestFallbackRevalidationAsksTheEffectivePathOnly(t *testing.T) {
	o := newOrigin(t)
	img := o.pushImage(t, "coredns/coredns", "v1", 100)
	r := start(t, setup{upstreams: []string{o.URL}, rules: doubled})
	r.get(t, "coredns/manifests/v1").want(t, 200, img.body)
	o.asked()
	r.clock.advance(6 * time.Minute)
	r.get(t, "coredns/manifests/v1").want(t, 200, img.body)
	wantAsked(t, o, "HEAD coredns/coredns/manifests/v1")

	second := o.pushImage(t, "coredns/coredns", "v1", 200)
	r.clock.advance(6 * time.Minute)
	r.get(t, "coredns/manifests/v1").want(t, 200, second.body)
	wantAsked(t, o, "HEAD coredns/coredns/manifests/v1", "GET coredns/coredns/manifests/v1")
}

func TestFallbackRevalidationTriesTheOriginalOnceWhenTheEffectiveIsGone(t *testing.T) {
	o := newOrigin(t)
	o.pushImage(t, "coredns/coredns", "v1", 100)
	r := start(t, setup{upstreams: []string{o.URL}, rules: doubled})
	r.get(t, "coredns/manifests/v1")
	flat := o.pushImage(t, "coredns", "v1", 200)
	nested := func(w http.ResponseWriter, req *http.Request, next http.Handler) {
		if strings.HasPrefix(req.URL.Path, "/v2/coredns/coredns/") {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		next.ServeHTTP(w, req)
	}
	o.fail(nested)
	o.asked()
	r.clock.advance(6 * time.Minute)
	r.get(t, "coredns/manifests/v1").want(t, 200, flat.body)
	wantAsked(t, o, "HEAD coredns/coredns/manifests/v1", "GET coredns/manifests/v1")
	r.clock.advance(6 * time.Minute)
	r.get(t, "coredns/manifests/v1").want(t, 200, flat.body)
	wantAsked(t, o, "HEAD coredns/manifests/v1")
}

func TestFallbackRevalidationGoneUnderBothNamesIsGone(t *testing.T) {
	o := newOrigin(t)
	o.pushImage(t, "coredns/coredns", "v1", 100)
	r := start(t, setup{upstreams: []string{o.URL}, rules: doubled})
	r.get(t, "coredns/manifests/v1")
	o.fail(status(404))
	o.asked()
	r.clock.advance(6 * time.Minute)
	r.get(t, "coredns/manifests/v1").want(t, 404, nil)
	wantAsked(t, o, "HEAD coredns/coredns/manifests/v1", "GET coredns/manifests/v1")
}

func TestFallbackNeverForSeveralSegmentsNorForWhatIsNoManifest(t *testing.T) {
	o := newOrigin(t)
	img := o.pushImage(t, "coredns/coredns", "v1", 100)
	r := start(t, setup{upstreams: []string{o.URL}, rules: doubled})
	o.fail(func(w http.ResponseWriter, req *http.Request, next http.Handler) {
		if strings.HasPrefix(req.URL.Path, "/v2/coredns/blobs/") {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		next.ServeHTTP(w, req)
	})
	for _, path := range []string{"team/coredns/manifests/v1", "coredns/blobs/" + img.layer.String(), "coredns/tags/list"} {
		r.get(t, path).want(t, 404, nil)
		wantAsked(t, o, "GET "+path)
	}
}

func TestFallback404PassesTheOriginal404On(t *testing.T) {
	for _, second := range []int{404, 401, 403} {
		o := newOrigin(t)
		o.fail(func(w http.ResponseWriter, req *http.Request, next http.Handler) {
			if strings.HasPrefix(req.URL.Path, "/v2/coredns/coredns/") {
				w.WriteHeader(second)
				return
			}
			next.ServeHTTP(w, req)
		})
		r := start(t, setup{upstreams: []string{o.URL}, rules: doubled})
		r.get(t, "coredns/manifests/v1").want(t, 404, nil)
		wantAsked(t, o, "GET coredns/manifests/v1", "GET coredns/coredns/manifests/v1")
	}
}

func TestFallbackTransportErrorEndsThere(t *testing.T) {
	o, next := newOrigin(t), newOrigin(t)
	next.pushImage(t, "coredns", "v1", 100)
	o.fail(func(w http.ResponseWriter, req *http.Request, next http.Handler) {
		if strings.HasPrefix(req.URL.Path, "/v2/coredns/coredns/") {
			panic(http.ErrAbortHandler)
		}
		next.ServeHTTP(w, req)
	})
	r := start(t, setup{upstreams: []string{o.URL, next.URL}, rules: doubled})
	r.get(t, "coredns/manifests/v1").want(t, 503, nil)
	wantAsked(t, next)
}

func TestFallbackIsNotUsedOnTrouble(t *testing.T) {
	for _, code := range []int{401, 403, 429, 500, 503} {
		o := newOrigin(t)
		o.fail(status(code))
		r := start(t, setup{upstreams: []string{o.URL}, rules: doubled})
		r.get(t, "coredns/manifests/v1")
		for _, asked := range o.asked() {
			if strings.Contains(asked, "coredns/coredns") {
				t.Errorf("after %d the upstream was asked %s", code, asked)
			}
		}
	}
}

// nestedOnly is an upstream that has nothing under the flat name, blobs included.
func nestedOnly(o *origin) {
	o.fail(func(w http.ResponseWriter, req *http.Request, next http.Handler) {
		if strings.HasPrefix(req.URL.Path, "/v2/coredns/") && !strings.HasPrefix(req.URL.Path, "/v2/coredns/coredns/") {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		next.ServeHTTP(w, req)
	})
}

func (o *origin) pushIndex(t *testing.T, repository, tag string, img image) []byte {
	t.Helper()
	index := document(t, map[string]any{
		"schemaVersion": 2, "mediaType": typeIndex,
		"manifests": []any{descriptorOf(typeManifest, img.manifest, len(img.body))},
	})
	o.pushManifest(t, repository, tag, typeIndex, index)
	return index
}

func TestFallbackChildManifestsAndBlobsComeFromTheEffectiveName(t *testing.T) {
	o := newOrigin(t)
	img := o.pushImage(t, "coredns/coredns", "", 100<<10)
	index := o.pushIndex(t, "coredns/coredns", "v1", img)
	nestedOnly(o)
	r := start(t, setup{upstreams: []string{o.URL}, rules: doubled})
	r.get(t, "coredns/manifests/v1").want(t, 200, index)
	o.asked()
	r.get(t, "coredns/manifests/"+img.manifest.String()).want(t, 200, img.body)
	r.do(t, http.MethodHead, "coredns/blobs/"+img.layer.String()).want(t, 200, nil)
	r.get(t, "coredns/blobs/"+img.layer.String()).want(t, 200, img.content)
	r.get(t, "coredns/blobs/"+img.config.String()).want(t, 200, nil)
	wantAsked(t, o, "GET coredns/coredns/manifests/"+img.manifest.String(), "HEAD coredns/coredns/blobs/"+img.layer.String(),
		"GET coredns/coredns/blobs/"+img.layer.String(), "GET coredns/coredns/blobs/"+img.config.String())
}

func TestFallbackEffectiveNameSurvivesARestart(t *testing.T) {
	o := newOrigin(t)
	img := o.pushImage(t, "coredns/coredns", "", 100<<10)
	index := o.pushIndex(t, "coredns/coredns", "v1", img)
	nestedOnly(o)
	before := start(t, setup{upstreams: []string{o.URL}, rules: doubled})
	before.get(t, "coredns/manifests/v1").want(t, 200, index)
	before.close()
	o.asked()

	r := start(t, setup{dir: before.dir, upstreams: []string{o.URL}, clock: before.clock})
	r.get(t, "coredns/manifests/v1").want(t, 200, index)
	r.get(t, "coredns/manifests/"+img.manifest.String()).want(t, 200, img.body)
	r.get(t, "coredns/blobs/"+img.layer.String()).want(t, 200, img.content)
	r.clock.advance(6 * time.Minute)
	r.get(t, "coredns/manifests/v1").want(t, 200, index)
	wantAsked(t, o, "GET coredns/coredns/manifests/"+img.manifest.String(), "GET coredns/coredns/blobs/"+img.layer.String(),
		"HEAD coredns/coredns/manifests/v1")
}

// secondName answers for the nested name alone.
func secondName(answer fault) fault {
	return func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if strings.HasPrefix(r.URL.Path, "/v2/coredns/coredns/") {
			answer(w, r, next)
			return
		}
		next.ServeHTTP(w, r)
	}
}

func TestFallbackUsesAreCounted(t *testing.T) {
	cases := map[string]struct {
		second fault
		// uses of two requests: a hit is none, nor is what is known to be absent.
		uses map[string]float64
	}{
		"found":  {func(w http.ResponseWriter, r *http.Request, next http.Handler) { next.ServeHTTP(w, r) }, map[string]float64{"doubled found": 1}},
		"missed": {status(404), map[string]float64{"doubled missed": 1}},
		"denied": {status(403), map[string]float64{"doubled missed": 1}},
		"failed": {status(503), map[string]float64{"doubled failed": 2}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			o := newOrigin(t)
			o.pushImage(t, "coredns/coredns", "v1", 100)
			o.fail(secondName(tc.second))
			r := start(t, setup{upstreams: []string{o.URL}, rules: doubled})
			for range 2 {
				r.get(t, "coredns/manifests/v1")
			}
			if diff := cmp.Diff(tc.uses, r.counted(t, "fallback_rule_uses_total", "rule", "result")); diff != "" {
				t.Errorf("uses (-want +got):\n%s", diff)
			}
		})
	}
}
