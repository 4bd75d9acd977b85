package testbed

import (
	"context"
	"fmt"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// ForgetImage removes an image and its layers from a node. reference is host/repository:tag. The runtime keeps an
// image under three names, each of which holds the layers.
func (b *Bed) ForgetImage(ctx context.Context, node, reference string, image v1.Image) error {
	manifest, err := image.Digest()
	if err != nil {
		return fmt.Errorf("reading the image to forget: %w", err)
	}
	config, err := image.ConfigName()
	if err != nil {
		return fmt.Errorf("reading the image to forget: %w", err)
	}
	repository := reference[:strings.LastIndex(reference, ":")]
	names := []string{reference, repository + "@" + manifest.String(), config.String()}
	_, err = b.Node(ctx, node, append([]string{"ctr", "-n", "k8s.io", "images", "rm", "--sync"}, names...)...)
	return err
}
