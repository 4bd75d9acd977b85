package node

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	runtimev1 "k8s.io/cri-api/pkg/apis/runtime/v1"

	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
)

// containerRuntime answers what the agent asks of one, and "pulls" each hub's canary by knowing what it is: what the agent
// costs does not depend on whether bytes have moved elsewhere.
type containerRuntime struct {
	runtimev1.UnimplementedRuntimeServiceServer
	runtimev1.UnimplementedImageServiceServer

	server *grpc.Server
	ended  chan error
}

// startRuntime listens where containerd does below a /run.
func startRuntime(ctx context.Context, run string) (*containerRuntime, error) {
	socket := filepath.Join(run, strings.TrimPrefix(configv1alpha1.RuntimeLayoutOf("").Socket, "/run/"))
	if err := os.MkdirAll(filepath.Dir(socket), 0o755); err != nil {
		return nil, fmt.Errorf("making the place of the runtime's socket: %w", err)
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "unix", socket)
	if err != nil {
		return nil, fmt.Errorf("listening as a container runtime: %w", err)
	}
	r := &containerRuntime{server: grpc.NewServer(), ended: make(chan error, 1)}
	runtimev1.RegisterRuntimeServiceServer(r.server, r)
	runtimev1.RegisterImageServiceServer(r.server, r)
	go func() { r.ended <- r.server.Serve(listener) }()
	return r, nil
}

func (r *containerRuntime) stop() error {
	r.server.Stop()
	if err := <-r.ended; err != nil && !errors.Is(err, grpc.ErrServerStopped) {
		return fmt.Errorf("serving as a container runtime: %w", err)
	}
	return nil
}

// Version answers as a containerd.
func (*containerRuntime) Version(context.Context, *runtimev1.VersionRequest) (*runtimev1.VersionResponse, error) {
	return &runtimev1.VersionResponse{Version: "0.1.0", RuntimeName: "containerd", RuntimeVersion: "v2.4.2", RuntimeApiVersion: "v1"}, nil
}

// PullImage says what the canary is of the hub that has the host.
func (*containerRuntime) PullImage(_ context.Context, asked *runtimev1.PullImageRequest) (*runtimev1.PullImageResponse, error) {
	image := asked.GetImage().GetImage()
	host, rest, _ := strings.Cut(image, "/")
	repository, _, _ := strings.Cut(rest, ":")
	name, canary := configv1alpha1.ParseCanaryRepository(repository)
	if !canary {
		return nil, status.Errorf(codes.NotFound, "%s is no canary", image)
	}
	return &runtimev1.PullImageResponse{ImageRef: configv1alpha1.NewCanaryImage(uidOf(host), name).Config.Digest}, nil
}

// RemoveImage has nothing to remove.
func (*containerRuntime) RemoveImage(context.Context, *runtimev1.RemoveImageRequest) (*runtimev1.RemoveImageResponse, error) {
	return &runtimev1.RemoveImageResponse{}, nil
}

// ListImages lists none.
func (*containerRuntime) ListImages(context.Context, *runtimev1.ListImagesRequest) (*runtimev1.ListImagesResponse, error) {
	return &runtimev1.ListImagesResponse{}, nil
}
