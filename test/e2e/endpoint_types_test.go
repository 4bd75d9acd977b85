package e2e

import (
	"context"
	"fmt"
	"io"
	"net"
	"regexp"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/registryhub/registryhub/hack/testbed"
)

// frontName and frontPort are where something stands in front of a hub.
const frontName, frontPort = "front.e2e.test", "5443"

// TestNodesThatReachNoClusterAddressPull by what they reach instead: their own node port, or what somebody has put in front of
// the hub's Service, which hands TLS on.
func TestNodesThatReachNoClusterAddressPull(t *testing.T) {
	s := shared
	t.Run("by a node port", func(t *testing.T) {
		const host, hub = "nodeport.e2e.test", "nodeport"
		s.applyHub(t, hub, host, "  endpoint: {type: NodePort}")
		s.awaitReady(t, hub)
		port := s.kubectl(t, "-n", testbed.Namespace, "get", "service", "hub-"+hub, "-o", "jsonpath={.spec.ports[0].nodePort}")
		s.mustPullWithoutClusterAddress(t, hub, host, "https://127.0.0.1:"+port)
	})
	t.Run("by what stands in front", func(t *testing.T) {
		const host, hub, url = "external.e2e.test", "external", "https://" + frontName + ":" + frontPort
		front := s.startFront(t)
		s.applyHub(t, hub, host, "  endpoint: {type: External, external: {url: '"+url+"'}}")
		s.leadTo(t, front, hub)
		s.awaitReady(t, hub)
		s.mustPullWithoutClusterAddress(t, hub, host, url)
		if front.handed.Load() < 2*2*layerSize {
			t.Errorf("%d bytes came by what stands in front, want two images", front.handed.Load())
		}
	})
}

// mustPullWithoutClusterAddress has each node, which does not reach the hub's cluster address any more, prove that it pulls
// through the hub, and pull from it alone.
func (s *suite) mustPullWithoutClusterAddress(t *testing.T, hub, host, url string) {
	t.Helper()
	s.images.push(t, "team/"+hub, "v1")
	s.upstream.Forget()
	served := s.served(t, hub)
	for _, node := range s.bed.Nodes {
		s.dropPackets(t, node, hub)
		s.mustName(t, node, host, `[host."`+url+`"]`, "ca = ")
		s.await(t, node.Name+" to prove that it pulls", func(context.Context) (bool, error) { return isProven(s.nodeMirror(t, node)), nil })
		s.runPod(t, hub, node, host+"/team/"+hub+":v1")
	}
	s.mustHaveAskedTheHubAlone(t)
	if bytes := s.served(t, hub) - served; bytes < 2*2*layerSize {
		t.Errorf("the hub has served %.0f bytes, want two images", bytes)
	}
	s.awaitReady(t, hub)
}

var servedBytes = regexp.MustCompile(`(?m)^registryhub_proxy_served_bytes_total (\S+)$`)

// served is how many bytes a hub's Pod has served.
func (s *suite) served(t *testing.T, hub string) float64 {
	t.Helper()
	metrics := s.kubectl(t, "get", "--raw", fmt.Sprintf("/api/v1/namespaces/%s/pods/%s:8080/proxy/metrics", testbed.Namespace, s.proxyPod(t, hub).Name))
	found := servedBytes.FindStringSubmatch(metrics)
	if found == nil {
		t.Fatalf("the hub's Pod does not count what it serves: %s", metrics)
	}
	bytes, err := strconv.ParseFloat(found[1], 64)
	if err != nil {
		t.Fatal(err)
	}
	return bytes
}

// TestARegistryIsPushedToFromWhereverItIsReached pushes by a name of the registry's Service, by a node's port, and by what stands in
// front of it: three names of one registry, in each of which all is there.
func TestARegistryIsPushedToFromWhereverItIsReached(t *testing.T) {
	s := shared
	s.applyUsers(t, "alice", "secret")
	front := s.startFront(t)
	s.applyManifest(t, localManifest, "outside", "outside.internal", "  endpoint: {type: External, external: {url: 'https://"+frontName+":"+frontPort+"'}}")
	s.leadTo(t, front, "outside")
	s.awaitReady(t, "outside")
	s.mustTakePushes(t, "outside", map[string]string{
		frontName + ":" + frontPort:                      net.JoinHostPort(s.bed.Address, frontPort),
		"hub-outside." + testbed.Namespace + ".svc:5000": net.JoinHostPort(s.clusterIP(t, "outside"), "5000"),
	})
	s.runPod(t, "outside", s.bed.Nodes[0], "outside.internal/team/app:v0")

	s.applyManifest(t, localManifest, "on-port", "on-port.internal", "  endpoint: {type: NodePort}")
	s.awaitReady(t, "on-port")
	port := s.kubectl(t, "-n", testbed.Namespace, "get", "service", "hub-on-port", "-o", "jsonpath={.spec.ports[0].nodePort}")
	s.mustTakePushes(t, "on-port", map[string]string{"hub-on-port." + testbed.Namespace + ".svc:" + port: net.JoinHostPort(s.bed.Nodes[1].Address, port)})
}

// mustTakePushes pushes to a registry by each of its names, at the address that is given for it.
func (s *suite) mustTakePushes(t *testing.T, hub string, names map[string]string) {
	t.Helper()
	alice := &authn.Basic{Username: "alice", Password: "secret"}
	pushed := map[string]v1.Image{}
	for name, address := range names {
		tag, image := fmt.Sprintf("team/app:v%d", len(pushed)), s.images.build(t)
		ref, options := s.inRegistryAt(t, name, address, tag, alice)
		if err := remote.Write(ref, image, options...); err != nil {
			t.Fatalf("by %s: %v\n%s", name, err, s.scene(t))
		}
		pushed[tag] = image
	}
	for tag, image := range pushed {
		s.mustHold(t, hub, tag, image, alice)
	}
}

// leadTo has what stands in front hand on to a hub's Service, once that is there.
func (s *suite) leadTo(t *testing.T, front *front, hub string) {
	t.Helper()
	s.await(t, "the hub's Service", func(ctx context.Context) (bool, error) {
		address, err := s.bed.Kubectl(ctx, "-n", testbed.Namespace, "get", "service", "hub-"+hub, "-o", "jsonpath={.spec.clusterIP}")
		if err == nil {
			front.target.Store(net.JoinHostPort(address, "5000"))
		}
		return err == nil, err
	})
}

// front hands connections on as they are.
type front struct {
	target atomic.Value // a string; nothing is handed on without
	handed atomic.Int64 // bytes of answers
}

// startFront has nodes find something at frontName and frontPort, until the test ends.
func (s *suite) startFront(t *testing.T) *front {
	t.Helper()
	f := &front{}
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", net.JoinHostPort(s.bed.Address, frontPort))
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	running.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			running.Go(func() { f.hand(ctx, conn) })
		}
	})
	t.Cleanup(func() {
		cancel()
		_ = listener.Close()
		running.Wait()
	})
	return f
}

func (f *front) hand(ctx context.Context, client net.Conn) {
	defer client.Close()
	target, _ := f.target.Load().(string)
	server, err := new(net.Dialer).DialContext(ctx, "tcp", target)
	if err != nil {
		return
	}
	defer server.Close()
	defer context.AfterFunc(ctx, func() { _ = server.Close() })()
	var asking sync.WaitGroup
	defer asking.Wait()
	asking.Go(func() {
		_, _ = io.Copy(server, client)
		_ = server.Close()
	})
	_, _ = io.Copy(io.MultiWriter(client, f), server)
	_ = client.Close()
}

// Write counts.
func (f *front) Write(answer []byte) (int, error) {
	f.handed.Add(int64(len(answer)))
	return len(answer), nil
}
