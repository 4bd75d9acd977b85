package prewarm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sync/errgroup"

	config "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/proxy/distspec"
)

const (
	// blobsAtOnce is how many blobs of an image are pulled at a time: as many as containerd does by default.
	blobsAtOnce = 3
	// maxDepth is how deep indexes may be nested: those of real images are not.
	maxDepth = 4
	// maxManifests is how many manifests and indexes an image may have: one for each platform is a few dozen.
	maxManifests = 1024
	// maxTime is how long the other images wait behind one.
	maxTime = 6 * time.Hour
)

var (
	errFull       = errors.New("the cache has no room: nothing is pulled ahead until it has")
	errDeep       = errors.New("its indexes name indexes without an end")
	errWide       = fmt.Errorf("it has more than %d manifests: name fewer platforms, or the manifests that are needed by their digests", maxManifests)
	errLong       = fmt.Errorf("it was not whole in the cache after %g hours: the other images are pulled first, then it is tried again", maxTime.Hours())
	errNoPlatform = errors.New("it has none of the platforms that are pulled ahead")
)

// document is what is read of a manifest or an index.
type document struct {
	Config    *part   `json:"config"`
	Layers    []part  `json:"layers"`
	Manifests []child `json:"manifests"`
}

type part struct {
	Digest string   `json:"digest"`
	URLs   []string `json:"urls"`
}

type child struct {
	Digest   string `json:"digest"`
	Platform struct {
		OS           string `json:"os"`
		Architecture string `json:"architecture"`
		Variant      string `json:"variant"`
	} `json:"platform"`
}

// pulling is an image on its way into the cache.
type pulling struct {
	*Warmer
	config.Image
	platforms []string
	manifests int // asked for so far
}

// pull has an image whole in the cache, or gives it up when that takes too long.
func (w *Warmer) pull(ctx context.Context, image config.Image, platforms []string) error {
	name := image.Digest
	if name == "" {
		name = image.Tag
	}
	reference, err := distspec.ParseReference(name)
	if err != nil {
		return err
	}
	ctx, done := context.WithTimeoutCause(ctx, maxTime, errLong)
	defer done()
	one := &pulling{Warmer: w, Image: image, platforms: platforms}
	err = one.pullManifest(ctx, reference, maxDepth)
	if err != nil && errors.Is(context.Cause(ctx), errLong) {
		return errLong
	}
	return err
}

func (p *pulling) pullManifest(ctx context.Context, reference distspec.Reference, depth int) error {
	switch {
	case depth == 0:
		return errDeep
	case p.manifests == maxManifests:
		return errWide
	case p.Full():
		return errFull
	}
	p.manifests++
	one, err := p.Puller.ManifestAhead(ctx, p.Host, p.Repository, reference)
	if err != nil {
		return err
	}
	var content document
	if err := json.Unmarshal(one.Content, &content); err != nil {
		return fmt.Errorf("reading manifest %s: %w", one.Digest, err)
	}
	if len(content.Manifests) > 0 {
		return p.pullIndex(ctx, content.Manifests, depth-1)
	}
	return p.pullBlobs(ctx, content)
}

func (p *pulling) pullIndex(ctx context.Context, children []child, depth int) error {
	wanted := slices.DeleteFunc(children, func(c child) bool { return !c.isOf(p.platforms) })
	if len(wanted) == 0 {
		return errNoPlatform
	}
	for _, one := range wanted {
		d, err := distspec.ParseDigest(one.Digest)
		if err != nil {
			return fmt.Errorf("reading the index of the image: %w", err)
		}
		if err := p.pullManifest(ctx, distspec.DigestReference(d), depth); err != nil {
			return err
		}
	}
	return nil
}

// isOf says whether a platform is among those that are wanted, all being wanted when none is named. What an index holds
// beside images, such as attestations, is of no platform that a node could have.
func (c child) isOf(platforms []string) bool {
	own := c.Platform.OS + "/" + c.Platform.Architecture
	return len(platforms) == 0 || own == "/" || slices.ContainsFunc(platforms, func(wanted string) bool {
		return wanted == own || wanted == own+"/"+c.Platform.Variant
	})
}

func (p *pulling) pullBlobs(ctx context.Context, content document) error {
	parts := content.Layers
	if content.Config != nil {
		parts = append([]part{*content.Config}, parts...)
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(blobsAtOnce)
	for _, d := range digests(parts) {
		group.Go(func() error { return p.Puller.BlobAhead(ctx, p.Host, p.Repository, d) })
	}
	return group.Wait()
}

// digests are those of what the registry has: foreign layers are elsewhere, by their own word. What is no digest cannot be
// pulled by anybody.
func digests(parts []part) []digest.Digest {
	var all []digest.Digest
	for _, one := range parts {
		d, err := distspec.ParseDigest(one.Digest)
		elsewhere := len(one.URLs) > 0 && !strings.HasPrefix(one.URLs[0], "/")
		if err == nil && !elsewhere && !slices.Contains(all, d) {
			all = append(all, d)
		}
	}
	return all
}
