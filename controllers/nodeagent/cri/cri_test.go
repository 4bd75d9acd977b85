package cri_test

import (
	"context"
	"net"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	runtimev1 "k8s.io/cri-api/pkg/apis/runtime/v1"

	"github.com/registryhub/registryhub/controllers/nodeagent/cri"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// runtime is one that has an image and knows how to pull it.
type runtime struct {
	runtimev1.UnimplementedRuntimeServiceServer
	runtimev1.UnimplementedImageServiceServer
	removed chan string
	unready atomic.Bool
}

func (*runtime) Version(context.Context, *runtimev1.VersionRequest) (*runtimev1.VersionResponse, error) {
	return &runtimev1.VersionResponse{RuntimeName: "containerd", RuntimeVersion: "v2.4.2"}, nil
}

func (*runtime) PullImage(ctx context.Context, r *runtimev1.PullImageRequest) (*runtimev1.PullImageResponse, error) {
	switch r.GetImage().GetImage() {
	case "a.example/slow:v1":
		<-ctx.Done()
		return nil, ctx.Err()
	case "a.example/image:v1":
		return &runtimev1.PullImageResponse{ImageRef: "sha256:abc"}, nil
	default:
		return nil, status.Error(codes.NotFound, "no such image")
	}
}

func (r *runtime) Status(context.Context, *runtimev1.StatusRequest) (*runtimev1.StatusResponse, error) {
	condition := &runtimev1.RuntimeCondition{Type: runtimev1.RuntimeReady, Status: !r.unready.Load(), Reason: "StillStarting"}
	return &runtimev1.StatusResponse{Status: &runtimev1.RuntimeStatus{Conditions: []*runtimev1.RuntimeCondition{{Type: runtimev1.NetworkReady}, condition}}}, nil
}

func (r *runtime) RemoveImage(_ context.Context, request *runtimev1.RemoveImageRequest) (*runtimev1.RemoveImageResponse, error) {
	r.removed <- request.GetImage().GetImage()
	return &runtimev1.RemoveImageResponse{}, nil
}

func (*runtime) ListImages(context.Context, *runtimev1.ListImagesRequest) (*runtimev1.ListImagesResponse, error) {
	return &runtimev1.ListImagesResponse{Images: []*runtimev1.Image{{RepoTags: []string{"a:1", "b:2"}}, {}, {RepoTags: []string{"c:3"}}}}, nil
}

// serve runs a runtime at a socket until the function that it returns is called.
func serve(t *testing.T, socket string) (*runtime, func()) {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	one, server := &runtime{removed: make(chan string, 1)}, grpc.NewServer()
	runtimev1.RegisterRuntimeServiceServer(server, one)
	runtimev1.RegisterImageServiceServer(server, one)
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	return one, func() {
		server.Stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	}
}

func client(t *testing.T, socket string) *cri.Client {
	t.Helper()
	c, err := cri.New(socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func TestWhatTheAgentAsks(t *testing.T) {
	t.Parallel()
	socket := filepath.Join(t.TempDir(), "s")
	one, stop := serve(t, socket)
	t.Cleanup(stop)
	c, ctx := client(t, socket), t.Context()

	version, err := c.Version(ctx)
	if diff := cmp.Diff(cri.Version{Runtime: "containerd", Version: "v2.4.2"}, version); diff != "" || err != nil {
		t.Errorf("Version: %v (-want +got):\n%s", err, diff)
	}
	if ref, err := c.Pull(ctx, "a.example/image:v1"); ref != "sha256:abc" || err != nil {
		t.Errorf("Pull: %q, %v", ref, err)
	}
	if _, err := c.Pull(ctx, "a.example/none:v1"); status.Code(err) != codes.NotFound {
		t.Errorf("Pull of nothing: %v", err)
	}
	if err := c.Remove(ctx, "a.example/image:v1"); err != nil || <-one.removed != "a.example/image:v1" {
		t.Errorf("Remove: %v", err)
	}
	if err := c.Ready(ctx); err != nil {
		t.Errorf("Ready: %v", err)
	}
	one.unready.Store(true)
	if err := c.Ready(ctx); err == nil || !strings.Contains(err.Error(), "StillStarting") {
		t.Errorf("Ready of one that is not: %v", err)
	}
	tags, err := c.Tags(ctx)
	if diff := cmp.Diff([]string{"a:1", "b:2", "c:3"}, tags); diff != "" || err != nil {
		t.Errorf("Tags: %v (-want +got):\n%s", err, diff)
	}
}

func TestAPullEndsWithItsContext(t *testing.T) {
	t.Parallel()
	socket := filepath.Join(t.TempDir(), "s")
	_, stop := serve(t, socket)
	t.Cleanup(stop)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := client(t, socket).Pull(ctx, "a.example/slow:v1"); status.Code(err) != codes.DeadlineExceeded {
		t.Errorf("got %v, want that its time was over", err)
	}
}

func TestARuntimeThatRestartsIsFoundAgain(t *testing.T) {
	t.Parallel()
	socket := filepath.Join(t.TempDir(), "s")
	c := client(t, socket)
	if _, err := c.Version(t.Context()); err == nil {
		t.Fatal("nobody listens, and Version has no error")
	}
	for range 2 {
		_, stop := serve(t, socket)
		await(t, c)
		stop()
	}
}

func await(t *testing.T, c *cri.Client) {
	t.Helper()
	deadline, again := time.After(30*time.Second), time.NewTicker(10*time.Millisecond)
	defer again.Stop()
	for {
		_, err := c.Version(t.Context())
		if err == nil {
			return
		}
		select {
		case <-again.C:
		case <-deadline:
			t.Fatalf("the runtime was not found again: %v", err)
		}
	}
}
