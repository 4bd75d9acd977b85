package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/registryhub/registryhub/hack/testbed"
	"github.com/registryhub/registryhub/hack/upstream"
)

const (
	host       = "registry.demo.test"
	repository = "debian/toolbox"
	reference  = host + "/" + repository + ":12"
	hub        = "demo"
)

// demo is one run.
type demo struct {
	began    time.Time
	bed      *testbed.Bed
	registry *upstream.Registry
	image    v1.Image
	// imageBytes are the bytes of the image's layers, compressed.
	imageBytes int64
}

func newDemo() *demo { return &demo{began: time.Now()} }

func (d *demo) run(ctx context.Context) error {
	if err := d.prepare(ctx); err != nil {
		return err
	}
	err := d.show(ctx)
	stopped := d.registry.Stop()
	if err := errors.Join(err, stopped); err != nil {
		return err
	}
	fmt.Printf(`
Everything held. The cluster is still up, with the hub on it (its upstream is gone, what it cached is not):
    go run ./hack/cluster kubectl get registryhubs
    go run ./hack/cluster down
`)
	return nil
}

// prepare brings up all that a user would have had before: a cluster, and a registry to pull from.
func (d *demo) prepare(ctx context.Context) error {
	d.heading("A cluster of two nodes")
	bed, err := testbed.Fresh(ctx, "2.4")
	if err != nil {
		return err
	}
	d.bed = bed
	d.heading("An upstream registry with an image")
	directory, err := os.MkdirTemp("", "registryhub-demo-")
	if err != nil {
		return fmt.Errorf("making a folder for the upstream: %w", err)
	}
	if d.registry, err = bed.StartUpstream(ctx, directory, host); err != nil {
		return err
	}
	return d.pushImage(ctx)
}

func (d *demo) pushImage(ctx context.Context) error {
	var err error
	if d.image, err = buildImage(ctx, filepath.Join(d.bed.Cache(), "demo")); err != nil {
		return err
	}
	target, err := name.ParseReference(d.registry.PushAddress+"/"+repository+":12", name.Insecure)
	if err != nil {
		return fmt.Errorf("naming the demo's image: %w", err)
	}
	if err := remote.Write(target, d.image, remote.WithContext(ctx)); err != nil {
		return fmt.Errorf("pushing the demo's image: %w", err)
	}
	if d.imageBytes, err = compressedSize(d.image); err != nil {
		return err
	}
	d.say("%s: %d layers, %s", reference, len(layers), megabytes(d.imageBytes))
	return nil
}

func compressedSize(image v1.Image) (int64, error) {
	all, err := image.Layers()
	if err != nil {
		return 0, fmt.Errorf("reading the demo's image: %w", err)
	}
	var sum int64
	for _, layer := range all {
		size, err := layer.Size()
		if err != nil {
			return 0, fmt.Errorf("reading a layer of the demo's image: %w", err)
		}
		sum += size
	}
	return sum, nil
}

// show is what a user does, and sees.
func (d *demo) show(ctx context.Context) error {
	steps := []func(context.Context) error{d.install, d.applyHub, d.firstPull, d.secondPull, d.pullWithoutUpstream, d.showMetrics}
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (d *demo) install(ctx context.Context) error {
	d.heading("kubectl apply -k config/default")
	return d.bed.InstallOperator(ctx)
}

func (d *demo) applyHub(ctx context.Context) error {
	d.heading("kubectl apply -f registryhub.yaml")
	bundle, err := d.bed.CABundle("demo-ca")
	if err != nil {
		return err
	}
	fmt.Print(hubManifest)
	if err := d.bed.Apply(ctx, bundle+"---\n"+hubManifest); err != nil {
		return err
	}
	applied := time.Now()
	if _, err := d.bed.Kubectl(ctx, "wait", "--for=condition=Ready", "registryhub/"+hub, "--timeout=3m"); err != nil {
		return errors.Join(err, d.explain(ctx))
	}
	// Ready says that NodesWired is True, which a canary on each node has proven.
	d.say("Ready, and proven wired on all %d nodes, %s after kubectl apply", len(d.bed.Nodes), time.Since(applied).Round(100*time.Millisecond))
	table, err := d.bed.Kubectl(ctx, "get", "registryhubs")
	fmt.Print(table)
	return err
}

// explain shows what a person would look at next.
func (d *demo) explain(ctx context.Context) error {
	seen, err := d.bed.Kubectl(context.WithoutCancel(ctx), "get", "registryhubs,nodemirrors,pods,pvc,events", "-A", "-o", "wide")
	fmt.Fprint(os.Stderr, seen)
	return err
}

func (d *demo) heading(text string) {
	fmt.Printf("\n== %s  (%s)\n", text, time.Since(d.began).Round(time.Second))
}

func (d *demo) say(format string, args ...any) { fmt.Printf("   "+format+"\n", args...) }

func megabytes(bytes int64) string { return fmt.Sprintf("%.1f MB", float64(bytes)/1e6) }

const hubManifest = `apiVersion: registryhub.io/v1alpha1
kind: RegistryHub
metadata:
  name: ` + hub + `
spec:
  hosts: [` + host + `]
  mode: Mirror
  mirror:
    upstreams:
    - name: demo
      url: https://` + host + `
      caBundleRef: {name: demo-ca}
    tags: {revalidateAfter: 1s}
  storage:
    type: PersistentVolumeClaim
    persistentVolumeClaim: {size: 1Gi}
`
