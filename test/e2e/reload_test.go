package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/types"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/api/v1alpha1"
	"github.com/registryhub/registryhub/hack/testbed"
)

// soon is how long a change may take to be in force on a slow machine. Without the nudge the kubelet would bring it after
// a minute or two.
const soon = 30 * time.Second

// A hub's rules change while nodes ask it: the Pod that runs takes them up, and no request fails.
func TestAChangeIsInForceWithinSecondsAndNoRequestFails(t *testing.T) {
	s := shared
	const host, hub = "reload.e2e.test", "reload"
	s.images.push(t, "team/reload", "v1")
	s.applyHub(t, hub, host, "  endpoint: {scheme: HTTP}") // the API server, through which it is asked, knows no authority of hubs
	s.awaitReady(t, hub)
	s.runPod(t, "reload", s.bed.Nodes[0], host+"/team/reload:v1")
	before := s.proxyPod(t, hub)
	hubs := s.asker(t, hub)
	asked := hubs.keepAsking(t, "/v2/team/reload/manifests/v1?ns="+host)

	for i, change := range []string{
		`{"spec":{"mirror":{"tags":{"revalidateAfter":"1h"}}}}`,
		`{"spec":{"mirror":{"fallbackRules":[{"name":"moved","match":"gone/(.*)","rewrite":"team/$1"}]}}}`,
	} {
		s.kubectl(t, "patch", "registryhub", hub, "--type=merge", "-p", change)
		began := time.Now()
		s.awaitInForce(t, hub)
		took := time.Since(began)
		t.Logf("change %d was in force, and Ready, after %s", i+1, took.Round(10*time.Millisecond))
		if took > soon {
			t.Errorf("change %d was in force after %s, want within %s", i+1, took, soon)
		}
	}
	if err := hubs.ask(t.Context(), "/v2/gone/reload/manifests/v1?ns="+host); err != nil {
		t.Errorf("by the new rule: %v", err)
	}
	failures, all := asked()
	t.Logf("%d requests meanwhile, %d failed", all, len(failures))
	if err := errors.Join(failures...); err != nil {
		t.Errorf("while the hub changed: %v", err)
	}
	after := s.proxyPod(t, hub)
	if after.UID != before.UID || after.Status.ContainerStatuses[0].RestartCount != 0 {
		t.Errorf("the Pod was replaced or restarted: %s, then %s with %d restarts", before.UID, after.UID, after.Status.ContainerStatuses[0].RestartCount)
	}
}

// awaitInForce waits until the hub is Ready with its present spec, and checks that its Pod reports the ConfigMap's hash.
func (s *suite) awaitInForce(t *testing.T, hub string) {
	t.Helper()
	s.await(t, "hub "+hub+" to serve with its present spec", func(ctx context.Context) (bool, error) {
		seen, err := s.hub(ctx, hub)
		if err != nil {
			return false, err
		}
		ready := condition(seen, v1alpha1.ConditionReady)
		return ready.Status == "True" && ready.ObservedGeneration == seen.Generation, nil
	})
	content := s.kubectl(t, "-n", testbed.Namespace, "get", "configmap", "hub-"+hub, "-o", `jsonpath={.data.config\.yaml}`)
	var report configv1alpha1.ProxyReport
	path := fmt.Sprintf("/api/v1/namespaces/%s/pods/%s:8080/proxy%s", testbed.Namespace, s.proxyPod(t, hub).Name, configv1alpha1.ReportPath)
	if err := json.Unmarshal([]byte(s.kubectl(t, "get", "--raw", path)), &report); err != nil {
		t.Fatal(err)
	}
	if want := configv1alpha1.Hash([]byte(content)); report.InForce != want {
		t.Errorf("the Pod serves with %+v, want %s", report, want)
	}
}

func (s *suite) proxyPod(t *testing.T, hub string) corev1.Pod {
	t.Helper()
	pods := corev1.PodList{}
	out := s.kubectl(t, "-n", testbed.Namespace, "get", "pods", "-l", v1alpha1.LabelHub+"="+hub, "-o", "json")
	if err := json.Unmarshal([]byte(out), &pods); err != nil {
		t.Fatal(err)
	}
	if len(pods.Items) != 1 {
		t.Fatalf("hub %s has %d Pods, want 1", hub, len(pods.Items))
	}
	return pods.Items[0]
}

// asker asks a hub through its Service, by way of the API server.
type asker struct {
	client *http.Client
	base   string
}

func (s *suite) asker(t *testing.T, hub string) asker {
	t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", s.bed.Kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.CloseIdleConnections)
	return asker{client: client, base: fmt.Sprintf("%s/api/v1/namespaces/%s/services/hub-%s:registry/proxy", config.Host, testbed.Namespace, hub)}
}

// ask asks for a manifest; the error tells of any answer but 200.
func (a asker) ask(ctx context.Context, path string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, a.base+path, http.NoBody)
	if err != nil {
		return err
	}
	request.Header.Set("Accept", string(types.OCIManifestSchema1)+", "+string(types.DockerManifestSchema2))
	response, err := a.client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %.200s", response.Status, body)
	}
	return err
}

// keepAsking asks all the time, until the function is called that it returns: it gives the failures, and how many requests
// there were.
func (a asker) keepAsking(t *testing.T, path string) (stop func() (failures []error, all int)) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var failures []error
	all := 0
	var running sync.WaitGroup
	running.Go(func() {
		pace := time.NewTicker(10 * time.Millisecond)
		defer pace.Stop()
		for ctx.Err() == nil {
			all++
			if err := a.ask(context.WithoutCancel(ctx), path); err != nil {
				failures = append(failures, err)
			}
			<-pace.C
		}
	})
	t.Cleanup(cancel)
	return func() ([]error, int) {
		cancel()
		running.Wait()
		return failures, all
	}
}
