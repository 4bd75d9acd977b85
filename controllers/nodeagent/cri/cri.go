// Package cri asks a node's container runtime, over the CRI's socket, for the few things that the agent needs of it. Who can
// open that socket can run anything on the node as root: nothing but what is here is ever asked.
package cri

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials/insecure"
	runtimev1 "k8s.io/cri-api/pkg/apis/runtime/v1"
)

const (
	// askWithin bounds what should take a runtime no time.
	askWithin = 10 * time.Second
	// idleAfter closes a connection that is not used: pulls are an hour apart.
	idleAfter = time.Minute
	// maxAnswer is what the kubelet takes, too: a node can have many images.
	maxAnswer = 16 << 20
	// reconnectWithin is how soon a runtime that has restarted is found.
	reconnectWithin = 5 * time.Second
)

// Client is a client of one runtime.
type Client struct {
	conn    *grpc.ClientConn
	runtime runtimev1.RuntimeServiceClient
	images  runtimev1.ImageServiceClient
}

// New is the client of the runtime at a socket, an absolute path. It connects when it is first used, and again whenever
// the runtime has restarted.
func New(socket string) (*Client, error) {
	reconnect := backoff.DefaultConfig
	reconnect.MaxDelay = reconnectWithin
	conn, err := grpc.NewClient("unix://"+socket,
		grpc.WithTransportCredentials(insecure.NewCredentials()), // the socket's permissions are what guards it
		grpc.WithIdleTimeout(idleAfter),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxAnswer)),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: reconnect, MinConnectTimeout: reconnectWithin}),
	)
	if err != nil {
		return nil, fmt.Errorf("making a client of the container runtime at %s: %w", socket, err)
	}
	return &Client{conn: conn, runtime: runtimev1.NewRuntimeServiceClient(conn), images: runtimev1.NewImageServiceClient(conn)}, nil
}

// Close ends the connection.
func (c *Client) Close() error { return c.conn.Close() }

// Version is what a runtime is.
type Version struct {
	// Runtime is its name, such as containerd or cri-o; Version its own, such as v2.4.2.
	Runtime, Version string
}

// Version asks the runtime what it is.
func (c *Client) Version(ctx context.Context) (Version, error) {
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	answer, err := c.runtime.Version(ctx, &runtimev1.VersionRequest{})
	if err != nil {
		return Version{}, fmt.Errorf("asking the container runtime for its version: %w", err)
	}
	return Version{Runtime: answer.GetRuntimeName(), Version: answer.GetRuntimeVersion()}, nil
}

// Pull has the runtime pull an image, without credentials, as it would for a Pod. What it answers names the image: with
// containerd the digest of its configuration, with CRI-O that or its repository with the digest of its manifest.
func (c *Client) Pull(ctx context.Context, image string) (string, error) {
	answer, err := c.images.PullImage(ctx, &runtimev1.PullImageRequest{Image: &runtimev1.ImageSpec{Image: image}})
	if err != nil {
		return "", fmt.Errorf("having the container runtime pull %s: %w", image, err)
	}
	return answer.GetImageRef(), nil
}

// Remove has the runtime remove an image, with all names that it has. One that is not there is no error.
func (c *Client) Remove(ctx context.Context, image string) error {
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	if _, err := c.images.RemoveImage(ctx, &runtimev1.RemoveImageRequest{Image: &runtimev1.ImageSpec{Image: image}}); err != nil {
		return fmt.Errorf("having the container runtime remove %s: %w", image, err)
	}
	return nil
}

// Tags are the names with tags of all images that the runtime has.
func (c *Client) Tags(ctx context.Context) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	answer, err := c.images.ListImages(ctx, &runtimev1.ListImagesRequest{})
	if err != nil {
		return nil, fmt.Errorf("asking the container runtime for its images: %w", err)
	}
	var tags []string
	for _, image := range answer.GetImages() {
		tags = append(tags, image.GetRepoTags()...)
	}
	return tags, nil
}

// Ready asks the runtime whether it could run something. An error says why not.
func (c *Client) Ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	answer, err := c.runtime.Status(ctx, &runtimev1.StatusRequest{})
	if err != nil {
		return fmt.Errorf("asking the container runtime for its status: %w", err)
	}
	for _, condition := range answer.GetStatus().GetConditions() {
		if condition.GetType() == runtimev1.RuntimeReady && !condition.GetStatus() {
			return fmt.Errorf("the container runtime is not ready: %s: %s", condition.GetReason(), condition.GetMessage())
		}
	}
	return nil
}
