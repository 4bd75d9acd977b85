package oracles

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-logr/logr"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/controllers/nodeagent/cri"
	"github.com/registryhub/registryhub/controllers/nodeagent/proof"
	"github.com/registryhub/registryhub/hack/cluster/assets"
	"github.com/registryhub/registryhub/proxy"
)

// runtimeFiles configure a containerd that keeps to a folder: format, root, state, socket, and what is said of images.
var runtimeFiles = map[string]string{
	"1.6": `version = 2
root = %q
state = %q
disabled_plugins = ["io.containerd.internal.v1.opt", "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs", "io.containerd.internal.v1.restart"]
[grpc]
  address = %q
[plugins."io.containerd.grpc.v1.cri"]
  disable_apparmor = true
[plugins."io.containerd.grpc.v1.cri".containerd]
  snapshotter = "native"
[plugins."io.containerd.grpc.v1.cri".registry]
  config_path = %q
`,
	"2.4": `version = 3
root = %q
state = %q
disabled_plugins = ["io.containerd.internal.v1.opt", "io.containerd.nri.v1.nri", "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs", "io.containerd.internal.v1.restart"]
[grpc]
  address = %q
[plugins."io.containerd.cri.v1.images"]
  snapshotter = "native"
[plugins."io.containerd.cri.v1.images".registry]
  config_path = %q
[plugins."io.containerd.cri.v1.runtime"]
  disable_apparmor = true
[[plugins."io.containerd.transfer.v1.local".unpack_config]]
  platform = "linux"
  snapshotter = "native"
`,
}

// canaryHost resolves to nothing: only the hub can answer for it.
const canaryHost = "canary.invalid"

// What the agent takes for proof has to be what the real runtimes do.
func TestARealRuntimeProvesThatItPullsThroughAHub(t *testing.T) {
	t.Parallel()
	endpoint := startHub(t, "uid-of-the-hub")
	cases := map[string]struct {
		release, roots, uid string
		want                proof.Verdict
		// directory below the certs directory, and what is proven; default: those of canaryHost.
		directory, host string
	}{
		"1.6":             {release: "1.6", roots: "CERTS", uid: "uid-of-the-hub", want: proof.Proven},
		"2.4":             {release: "2.4", roots: "CERTS", uid: "uid-of-the-hub", want: proof.Proven},
		"1.6 with a list": {release: "1.6", roots: "CERTS:/nowhere", uid: "uid-of-the-hub", want: proof.Proven},
		"2.4 with a list, which it does not split": {release: "2.4", roots: "CERTS:/nowhere", uid: "uid-of-the-hub", want: proof.Failed},
		"2.4 with another directory":               {release: "2.4", roots: "/nowhere", uid: "uid-of-the-hub", want: proof.Failed},
		"2.4 and another hub":                      {release: "2.4", roots: "CERTS", uid: "uid-of-another", want: proof.Failed},
		"1.6, every other host":                    {release: "1.6", roots: "CERTS", uid: "uid-of-the-hub", want: proof.Proven, directory: "_default", host: "*"},
		"2.4, every other host":                    {release: "2.4", roots: "CERTS", uid: "uid-of-the-hub", want: proof.Proven, directory: "_default", host: "*"},
		"2.4, every other host, not wired":         {release: "2.4", roots: "CERTS", uid: "uid-of-the-hub", want: proof.Failed, host: "*"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			certs := t.TempDir()
			directory := cmp.Or(tc.directory, canaryHost)
			writeFile(t, filepath.Join(certs, directory, "hosts.toml"),
				fmt.Sprintf("[host.%q]\n  capabilities = [\"pull\", \"resolve\"]\n", endpoint))
			client := startRuntime(t, tc.release, strings.ReplaceAll(tc.roots, "CERTS", certs))
			outcome := prove(t, client, proof.Target{Host: cmp.Or(tc.host, canaryHost), HubUID: tc.uid})
			if outcome.Verdict != tc.want {
				t.Errorf("got %+v, want verdict %d", outcome, tc.want)
			}
			if tags, err := client.Tags(t.Context()); len(tags) > 0 || err != nil {
				t.Errorf("images are left: %q (%v)", tags, err)
			}
		})
	}
}

// prove runs a prover until it has a verdict.
func prove(t *testing.T, images proof.Images, target proof.Target) proof.Outcome {
	t.Helper()
	p := proof.New(proof.Options{Images: images, Logger: logr.Discard(), Explain: func(_ context.Context, _ proof.Target, err error) proof.Failure {
		return proof.Failure{Message: err.Error()}
	}})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		p.Run(ctx)
	}()
	p.Prove([]proof.Target{target})
	select {
	case <-p.Changed():
	case <-time.After(3 * time.Minute):
	}
	cancel()
	<-done
	return p.Outcome(target)
}

func startHub(t *testing.T, uid string) string {
	t.Helper()
	cfg := &configv1alpha1.ProxyConfiguration{
		Hub: "hub", HubUID: uid,
		Listen: configv1alpha1.ListenConfiguration{Registry: "127.0.0.1:0", Diagnostics: "127.0.0.1:0"},
		Store:  configv1alpha1.StoreConfiguration{Directory: t.TempDir()},
		Mirror: &configv1alpha1.MirrorConfiguration{Hosts: []configv1alpha1.MirrorHost{{
			Host: canaryHost, Upstreams: []configv1alpha1.UpstreamConfiguration{{Name: "none", URL: "http://127.0.0.1:1"}},
		}, {Host: configv1alpha1.AnyHost}}, AllowedHosts: []string{"other.invalid"}},
	}
	cfg.Default()
	cfg.Store.Scrub.Every = &metav1.Duration{}
	hub, err := proxy.New(cfg, proxy.Options{Logger: logr.Discard()})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- hub.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return "http://" + hub.RegistryAddr().String()
}

// startRuntime runs a containerd with its CRI until the test ends.
func startRuntime(t *testing.T, release, configPath string) *cri.Client {
	t.Helper()
	store, err := assets.Find(t.Logf)
	if err != nil {
		t.Fatal(err)
	}
	programs, err := store.Containerd(t.Context(), release)
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	socket, file, log := filepath.Join(folder, "s"), filepath.Join(folder, "config.toml"), filepath.Join(folder, "log")
	writeFile(t, file, fmt.Sprintf(runtimeFiles[release], filepath.Join(folder, "root"), filepath.Join(folder, "state"), socket, configPath))
	out, err := os.Create(log)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(filepath.Join(programs, "containerd"), "--config", file)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait() // it was told to end
		_ = out.Close()
		if text, err := os.ReadFile(log); err == nil && t.Failed() {
			t.Logf("containerd %s:\n%s", release, text)
		}
	})
	client, err := cri.New(socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	awaitRuntime(t, client)
	return client
}

func awaitRuntime(t *testing.T, client *cri.Client) {
	t.Helper()
	deadline, again := time.After(time.Minute), time.NewTicker(50*time.Millisecond)
	defer again.Stop()
	for {
		_, err := client.Tags(t.Context())
		if err == nil {
			return
		}
		select {
		case <-again.C:
		case <-deadline:
			t.Fatalf("containerd does not answer: %v", err)
		}
	}
}
