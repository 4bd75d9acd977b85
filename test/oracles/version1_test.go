package oracles

import (
	"context"
	"io"
	"net/http"

	"github.com/containerd/containerd/reference"
	"github.com/containerd/containerd/remotes"
	"github.com/containerd/containerd/remotes/docker"
	"github.com/containerd/containerd/remotes/docker/config"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

type version1 struct{}

func (version1) understands2x() bool { return false }

func (version1) lookUp(certs, host string) (string, error) {
	return config.HostDirFromRoot(certs)(host)
}

func (version1) referenceHost(ref string) (string, error) {
	spec, err := reference.Parse(ref)
	return spec.Hostname(), err
}

func (version1) endpoints(ctx context.Context, host string, o lookup) ([]endpoint, error) {
	hosts, err := config.ConfigureHosts(ctx, config.HostOptions{
		HostDir: func(host string) (string, error) {
			directory, err := hostDir(o.certs, config.HostDirFromRoot)(host)
			call(o.found)
			return directory, err
		},
		UpdateClient: func(*http.Client) error { call(o.read); return nil },
	})(host)
	var all []endpoint
	for _, h := range hosts {
		all = append(all, endpoint{
			URL:     h.Scheme + "://" + h.Host + h.Path,
			Pull:    h.Capabilities.Has(docker.HostCapabilityPull),
			Resolve: h.Capabilities.Has(docker.HostCapabilityResolve),
			Push:    h.Capabilities.Has(docker.HostCapabilityPush),
		})
	}
	return all, err
}

func (version1) resolver(ctx context.Context, certs string) resolver {
	return resolver1{docker.NewResolver(docker.ResolverOptions{
		Hosts: config.ConfigureHosts(ctx, config.HostOptions{
			HostDir:      hostDir(certs, config.HostDirFromRoot),
			UpdateClient: func(client *http.Client) error { closeIdle(ctx, client); return nil },
		}),
	})}
}

type resolver1 struct{ remotes.Resolver }

func (r resolver1) resolve(ctx context.Context, reference string) (ocispec.Descriptor, error) {
	_, descriptor, err := r.Resolve(ctx, reference)
	return descriptor, err
}

func (r resolver1) fetch(ctx context.Context, reference string, d ocispec.Descriptor) (io.ReadCloser, error) {
	fetcher, err := r.Fetcher(ctx, reference)
	if err != nil {
		return nil, err
	}
	return fetcher.Fetch(ctx, d)
}
