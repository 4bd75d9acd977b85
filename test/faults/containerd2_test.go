package faults

import (
	"context"
	"fmt"
	"net/http"
	"os"

	"github.com/containerd/containerd/v2/core/images"
	"github.com/containerd/containerd/v2/core/remotes"
	"github.com/containerd/containerd/v2/core/remotes/docker"
	"github.com/containerd/containerd/v2/core/remotes/docker/config"
	"github.com/containerd/containerd/v2/core/transfer"
	"github.com/containerd/containerd/v2/plugins/content/local"

	"github.com/registryhub/registryhub/test/faults/origin"
)

// modules2 pulls with the code of containerd 2.4 itself: its resolver, its fetcher and its content store.
type modules2 struct {
	// buffer, if set, is concurrent_layer_fetch_buffer in bytes: layers are fetched in ranges of that size at once.
	buffer int
}

func (n modules2) pull(ctx context.Context, certs, host string, image *origin.Image) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	folder, err := os.MkdirTemp(certs, "_content-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(folder) }() // the test's folder goes anyway
	content, err := local.NewStore(folder)
	if err != nil {
		return err
	}
	resolver := docker.NewResolver(docker.ResolverOptions{
		Hosts: config.ConfigureHosts(ctx, config.HostOptions{
			HostDir: config.HostDirFromRoot(certs),
			UpdateClient: func(client *http.Client) error {
				context.AfterFunc(ctx, client.CloseIdleConnections)
				return nil
			},
		}),
	})
	if with, ok := resolver.(remotes.ResolverWithOptions); ok && n.buffer > 0 {
		with.SetOptions(transfer.WithConcurrentLayerFetchBuffer(n.buffer), transfer.WithMaxConcurrentDownloads(4))
	}
	name, root, err := resolver.Resolve(ctx, host+"/"+image.Repository+":"+image.Tag)
	if err != nil {
		return err
	}
	if root.Digest != image.Root.Digest {
		return fmt.Errorf("%s resolved to %s, want %s", name, root.Digest, image.Root.Digest)
	}
	fetcher, err := resolver.Fetcher(ctx, name)
	if err != nil {
		return err
	}
	handler := images.Handlers(remotes.FetchHandler(content, fetcher), images.ChildrenHandler(content))
	if err := images.Dispatch(ctx, handler, nil, root); err != nil {
		return err
	}
	return holds(folder, image)
}
