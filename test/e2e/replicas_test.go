package e2e

import (
	"errors"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/registryhub/registryhub/api/v1alpha1"
	"github.com/registryhub/registryhub/hack/testbed"
)

// roll changes what a hub's Pods carry, so that they are replaced.
func (s *suite) roll(t *testing.T, hub string) {
	t.Helper()
	s.kubectl(t, "patch", "registryhub", hub, "--type=merge", "-p", `{"spec":{"proxy":{"annotations":{"rolled":"yes"}}}}`)
}

// rolled says whether a hub is Ready, with as many Pods as it should have and all of them new.
func (s *suite) rolled(t *testing.T, hub string, pods int) bool {
	t.Helper()
	seen, err := s.hub(t.Context(), hub)
	if err != nil {
		t.Fatal(err)
	}
	ready := condition(seen, v1alpha1.ConditionReady)
	annotations := s.kubectl(t, "-n", testbed.Namespace, "get", "pods", "-l", v1alpha1.LabelHub+"="+hub, "-o", `jsonpath={range .items[*]}{.metadata.annotations.rolled}{"\n"}{end}`)
	return ready.Status == "True" && ready.ObservedGeneration == seen.Generation && annotations == strings.Repeat("yes\n", pods)
}

// pullWhile has the nodes pull an image anew, one after the other, until it is enough: a pull that fails ends the test.
func (s *suite) pullWhile(t *testing.T, name, reference string, image v1.Image, enough func() bool) (pulls int) {
	t.Helper()
	for deadline := time.Now().Add(patience); !enough(); pulls++ {
		if time.Now().After(deadline) {
			t.Fatalf("the Pods are not replaced after %d pulls\n%s", pulls, s.scene(t))
		}
		node := s.bed.Nodes[pulls%len(s.bed.Nodes)]
		s.runPod(t, name, node, reference)
		s.forgetImage(t, node, reference, image)
	}
	return pulls
}

// Two Pods on one volume are replaced while clients ask all the time and nodes pull: no request fails, and no pull goes past
// the hub.
func TestSeveralPodsAreReplacedAndNoRequestFails(t *testing.T) {
	s := shared
	const host, hub = "several.e2e.test", "several"
	image := s.images.push(t, "team/several", "v1")
	manifest := strings.Replace(testbed.HubManifest, "{size: 100Mi}", "{size: 100Mi, accessModes: [ReadWriteMany]}\n  proxy: {replicas: 2}", 1)
	s.applyManifest(t, manifest, hub, host, "  endpoint: {scheme: HTTP}") // as for reload: the API server asks
	s.awaitReady(t, hub)
	s.runPod(t, "several", s.bed.Nodes[0], host+"/team/several:v1")
	s.forgetImage(t, s.bed.Nodes[0], host+"/team/several:v1", image)
	asked := s.asker(t, hub).keepAsking(t, "/v2/team/several/manifests/v1?ns="+host)
	s.upstream.Forget()

	began := time.Now()
	s.roll(t, hub)
	pulls := s.pullWhile(t, "several", host+"/team/several:v1", image, func() bool { return s.rolled(t, hub, 2) })
	failures, all := asked()
	t.Logf("in the %s that it took: %d pulls, %d requests, %d failed", time.Since(began).Round(time.Second), pulls, all, len(failures))
	if err := errors.Join(failures...); err != nil {
		t.Errorf("while the Pods were replaced: %v", err)
	}
	s.mustHaveAskedTheHubAlone(t)
	if again := blobRequests(s.upstream.Requests()); len(again) > 0 {
		t.Errorf("what the volume holds was fetched again: %v", again)
	}
	s.mustSayOfItsPods(t, hub, "2/2 Pods")
	if budget := s.kubectl(t, "-n", testbed.Namespace, "get", "pdb", "hub-"+hub, "-o", "jsonpath={.status.disruptionsAllowed}"); budget != "1" {
		t.Errorf("%s Pods may be evicted, want 1", budget)
	}
}

func (s *suite) mustSayOfItsPods(t *testing.T, hub, want string) {
	t.Helper()
	seen, err := s.hub(t.Context(), hub)
	if err != nil {
		t.Fatal(err)
	}
	if said := condition(seen, v1alpha1.ConditionProxyAvailable).Message; !strings.Contains(said, want) {
		t.Errorf("of its Pods the hub says %q, want of %s", said, want)
	}
}

// The one Pod of a volume that one Pod can have is replaced while nodes pull: pulls go to the upstream meanwhile, and none
// fails.
func TestTheOnlyPodIsReplacedAndNoPullFails(t *testing.T) {
	s := shared
	const host, hub = "single.e2e.test", "single"
	image := s.images.push(t, "team/single", "v1")
	s.applyHub(t, hub, host)
	s.awaitReady(t, hub)
	before := s.proxyPod(t, hub)
	began := time.Now()
	s.roll(t, hub)
	pulls := s.pullWhile(t, "single", host+"/team/single:v1", image, func() bool { return s.rolled(t, hub, 1) })
	t.Logf("in the %s that it took: %d pulls", time.Since(began).Round(time.Second), pulls)
	if after := s.proxyPod(t, hub); after.UID == before.UID {
		t.Errorf("the Pod %s was not replaced", after.Name)
	}
	s.awaitReady(t, hub)
}
