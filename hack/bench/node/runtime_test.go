package node

import (
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	runtimev1 "k8s.io/cri-api/pkg/apis/runtime/v1"

	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestTheRuntimeKnowsTheCanaryOfEachHub(t *testing.T) {
	t.Parallel()
	images := runtimeOf(t)
	name := configv1alpha1.CanaryName{Architecture: "amd64", Nonce: "0123456789abcdef0123456789abcdef"}
	tests := map[string]struct {
		image, want string
		code        codes.Code
	}{
		"one of a hub's": {
			image: hostOf(3) + "/" + name.Repository() + ":v1",
			want:  configv1alpha1.NewCanaryImage(uidOf(hostOf(3)), name).Config.Digest,
		},
		"another image is not there": {image: hostOf(3) + "/library/nginx:1", code: codes.NotFound},
	}
	for sentence, tc := range tests {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			got, err := images.PullImage(t.Context(), &runtimev1.PullImageRequest{Image: &runtimev1.ImageSpec{Image: tc.image}})
			if got.GetImageRef() != tc.want || status.Code(err) != tc.code {
				t.Errorf("got %q (%v), want %q (%s)", got.GetImageRef(), err, tc.want, tc.code)
			}
		})
	}
}

// runtimeOf is a client of a runtime below a /run of its own.
func runtimeOf(t *testing.T) runtimev1.ImageServiceClient {
	t.Helper()
	// A short path, as Unix sockets need.
	run, err := os.MkdirTemp("", "run") //nolint:usetesting // t.TempDir is longer than a Unix socket's path may be
	if err != nil {
		t.Fatal(err)
	}
	started, err := startRuntime(t.Context(), run)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := grpc.NewClient("unix://"+filepath.Join(run, "containerd", "containerd.sock"), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
		if err := started.stop(); err != nil {
			t.Error(err)
		}
		if err := os.RemoveAll(run); err != nil {
			t.Error(err)
		}
	})
	return runtimev1.NewImageServiceClient(conn)
}
