package main

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/registryhub/registryhub/hack/testbed"
)

func (d *demo) firstPull(ctx context.Context) error {
	d.heading("A Pod on " + d.bed.Nodes[0].Name + ": the image is nowhere in the cluster yet")
	fetched, err := d.pull(ctx, "first", d.bed.Nodes[0])
	if err != nil {
		return err
	}
	if fetched < d.imageBytes {
		return fmt.Errorf("the upstream sent %d bytes for an image of %d: it did not come from there", fetched, d.imageBytes)
	}
	if fetched > d.imageBytes+d.imageBytes/50 {
		return fmt.Errorf("the upstream sent %d bytes for an image of %d: want it once", fetched, d.imageBytes)
	}
	return nil
}

func (d *demo) secondPull(ctx context.Context) error {
	d.heading("A Pod on " + d.bed.Nodes[1].Name + ": from the hub's cache")
	fetched, err := d.pull(ctx, "second", d.bed.Nodes[1])
	if err == nil && fetched > d.imageBytes/50 {
		err = fmt.Errorf("the upstream sent %d bytes again", fetched)
	}
	return err
}

func (d *demo) pullWithoutUpstream(ctx context.Context) error {
	node := d.bed.Nodes[1]
	d.heading("The upstream is stopped, the image removed from " + node.Name + ", and one more Pod runs there")
	if err := d.registry.Down(); err != nil {
		return fmt.Errorf("stopping the upstream: %w", err)
	}
	if _, err := d.bed.Kubectl(ctx, "delete", "pod", "second", "--now"); err != nil {
		return err
	}
	if err := d.bed.ForgetImage(ctx, node.Name, reference, d.image); err != nil {
		return err
	}
	fetched, err := d.pull(ctx, "third", node)
	if err == nil && fetched != 0 {
		err = fmt.Errorf("the upstream sent %d bytes while it was stopped", fetched)
	}
	return err
}

// pull runs a Pod on a node, says how long its pull took, and returns the bytes that the upstream sent for it.
// No request may have come from the node itself.
func (d *demo) pull(ctx context.Context, pod string, node testbed.Node) (int64, error) {
	d.registry.Forget()
	if _, err := d.bed.Kubectl(ctx, "delete", "pod", pod, "--ignore-not-found", "--now"); err != nil {
		return 0, err
	}
	began := time.Now()
	if err := d.bed.Apply(ctx, fmt.Sprintf(podManifest, pod, node.Name, reference)); err != nil {
		return 0, err
	}
	if _, err := d.bed.Kubectl(ctx, "wait", "--for=condition=Ready", "pod/"+pod, "--timeout=3m"); err != nil {
		return 0, errors.Join(err, d.explain(ctx))
	}
	d.say("running after %s", time.Since(began).Round(100*time.Millisecond))
	if took, err := d.pullTime(ctx, pod); err == nil {
		d.say("kubelet: %s", took)
	}
	return d.fetched()
}

var pulled = regexp.MustCompile(`pulled image .* in ([0-9.a-z]+) `)

// pullTime is what the kubelet says of a Pod's pull.
func (d *demo) pullTime(ctx context.Context, pod string) (string, error) {
	events, err := d.bed.Kubectl(ctx, "get", "events", "--field-selector", "reason=Pulled,involvedObject.name="+pod,
		"--sort-by=.lastTimestamp", "-o", "jsonpath={range .items[*]}{.message}{\"\\n\"}{end}")
	if err != nil {
		return "", err
	}
	lines := strings.Split(strings.TrimSpace(events), "\n")
	match := pulled.FindStringSubmatch(lines[len(lines)-1])
	if match == nil {
		return "", fmt.Errorf("no event tells of a pull by %s", pod)
	}
	return "pulled in " + match[1], nil
}

func (d *demo) fetched() (int64, error) {
	var bytes int64
	requests := d.registry.Requests()
	for _, request := range requests {
		if request.FromNode() {
			return 0, fmt.Errorf("the node asked the upstream by itself: %s %s", request.Method, request.Path)
		}
		if strings.Contains(request.Path, "/blobs/") {
			bytes += request.Bytes
		}
	}
	d.say("from the upstream: %d requests, %s of blobs; none of them by a node", len(requests), megabytes(bytes))
	return bytes, nil
}

// showMetrics prints the hub's own figures, through the API server.
func (d *demo) showMetrics(ctx context.Context) error {
	d.heading("The hub's metrics")
	pods, err := d.bed.Kubectl(ctx, "-n", testbed.Namespace, "get", "pods", "-l", "registryhub.io/hub="+hub, "-o", "name")
	if err != nil {
		return err
	}
	pod := strings.TrimPrefix(strings.TrimSpace(pods), "pod/")
	metrics, err := d.bed.Kubectl(ctx, "get", "--raw", "/api/v1/namespaces/"+testbed.Namespace+"/pods/"+pod+":8080/proxy/metrics")
	if err != nil {
		return err
	}
	shown := 0
	for line := range strings.SplitSeq(metrics, "\n") {
		if strings.HasPrefix(line, "registryhub_proxy_") && !strings.Contains(line, "_bucket") && !strings.HasSuffix(line, " 0") {
			d.say("%s", line)
			shown++
		}
	}
	if shown == 0 {
		return errors.New("the hub shows no metrics of its pulls")
	}
	return nil
}

const podManifest = `apiVersion: v1
kind: Pod
metadata: {name: %s}
spec:
  nodeName: %s
  terminationGracePeriodSeconds: 0
  containers:
  - name: shell
    image: %s
    imagePullPolicy: Always
    command: [/bin/bash, -c, "trap 'exit 0' TERM; while :; do read -rt 3600 <> <(:) || :; done"]
`
