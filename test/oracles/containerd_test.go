package oracles

import (
	"context"
	"io"
	"net/http"
	"path/filepath"
	"testing"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// containerd is the part of one version that decides where a pull goes.
type containerd interface {
	// endpoints are the registries that a pull from the host tries, in order.
	endpoints(ctx context.Context, host string, options lookup) ([]endpoint, error)
	// resolver pulls by what the certs directories say, a list as config_path.
	resolver(ctx context.Context, certs string) resolver
	// lookUp is how it finds a host's directory.
	lookUp(certs, host string) (string, error)
	// referenceHost is the host that it reads out of a reference.
	referenceHost(reference string) (string, error)
	// understands2x says whether it is a 2.x.
	understands2x() bool
}

// lookup is where containerd looks for a host's directory, and what happens meanwhile.
type lookup struct {
	// certs is a directory, or a list as config_path.
	certs string
	// found is called when the directory has been found and before anything in it is read.
	found func()
	// read is called when hosts.toml has been read and before the CAs that it names are.
	read func()
}

type endpoint struct {
	URL                 string
	Pull, Resolve, Push bool
	// Referrers are known to 2.2 and later.
	Referrers bool
}

type resolver interface {
	resolve(ctx context.Context, reference string) (ocispec.Descriptor, error)
	fetch(ctx context.Context, reference string, descriptor ocispec.Descriptor) (io.ReadCloser, error)
}

var versions = map[string]containerd{"containerd 1.7": version1{}, "containerd 2.4": version2{}}

// onEach runs a test on a node of every version of containerd.
func onEach(t *testing.T, test func(n node)) {
	t.Helper()
	for name, c := range versions {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(newNode(t, c))
		})
	}
}

// hostDir looks in each directory of a config_path as the CRI plug-in does (hostDirFromRoots in internal/cri/server), which
// exports nothing: the first that has anything for the host, which `_default` is.
func hostDir(configPath string, fromRoot func(root string) func(string) (string, error)) func(string) (string, error) {
	return func(host string) (directory string, err error) {
		for _, root := range filepath.SplitList(configPath) {
			if directory, err = fromRoot(root)(host); directory != "" {
				return directory, err
			}
		}
		return "", err
	}
}

// call calls a hook that need not be there.
func call(hook func()) {
	if hook != nil {
		hook()
	}
}

// closeIdle ends a client's connections with the test, so that goleak sees what is really left.
func closeIdle(ctx context.Context, client *http.Client) {
	context.AfterFunc(ctx, client.CloseIdleConnections)
}
