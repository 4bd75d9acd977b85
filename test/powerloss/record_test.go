package powerloss

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/api/resource"

	config "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/hack/debian"
	"github.com/registryhub/registryhub/proxy"
)

// The environment of a test that is run again as a proxy.
const (
	envStore    = "REGISTRYHUB_POWERLOSS_STORE"
	envUpstream = "REGISTRYHUB_POWERLOSS_UPSTREAM"
	envSegment  = "REGISTRYHUB_POWERLOSS_SEGMENT"
)

func TestMain(m *testing.M) {
	if os.Getenv(envStore) != "" {
		if err := beProxy(os.Getenv(envStore), os.Getenv(envUpstream), os.Getenv(envSegment)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// beProxy says where it serves and serves until it is told to stop.
func beProxy(dir, upstream, segment string) error {
	size, err := strconv.ParseInt(segment, 10, 64)
	if err != nil {
		return err
	}
	server, err := newProxy(dir, upstream, size)
	if err != nil {
		return err
	}
	fmt.Println(server.RegistryAddr())
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	return server.Run(ctx)
}

// newProxy fetches in segments of a size that no configuration allows: each write is an operation to lose, and few are enough.
func newProxy(dir, upstream string, segment int64) (*proxy.Server, error) {
	cfg, err := config.DecodeProxyConfiguration(fmt.Appendf(nil, `
apiVersion: config.registryhub.io/v1alpha1
kind: ProxyConfiguration
hub: test
listen: {registry: "127.0.0.1:0", diagnostics: "127.0.0.1:0"}
store: {directory: %s}
mirror:
  hosts:
  - {host: registry.test, upstreams: [{name: origin, url: %q}]}
`, dir, upstream))
	if err != nil {
		return nil, err
	}
	if segment > 0 {
		cfg.Mirror.Segments.Size = resource.NewQuantity(segment, resource.BinarySI)
	}
	return proxy.New(cfg, proxy.Options{Logger: logr.Discard()})
}

// recorder runs proxies of one store under strace.
type recorder struct {
	dir    string
	origin *origin
	tracer *tracer
}

// run runs a proxy while use uses it, then kills it as told, and adds what it did to the record.
func (r *recorder) run(t *testing.T, how syscall.Signal, use func(address string)) {
	t.Helper()
	trace := filepath.Join(t.TempDir(), "trace")
	self, err := os.Executable()
	must(t, err)
	cmd := exec.Command("strace", "-f", "-qq", "-xx", "-s", "1000000", "-e", "trace="+calls, "-e", "signal=none", "-o", trace, self)
	cmd.Env = append(os.Environ(), envStore+"="+r.dir, envUpstream+"="+r.origin.URL, envSegment+"="+strconv.FormatInt(r.origin.segment, 10))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	address, err := bufio.NewReader(out).ReadString('\n')
	must(t, err)
	use(strings.TrimSpace(address))
	must(t, syscall.Kill(child(t, cmd.Process.Pid), how))
	_ = cmd.Wait() // strace ends as the proxy did
	text, err := os.ReadFile(trace)
	must(t, err)
	must(t, r.tracer.read(string(text)))
}

// child is the one process that strace runs.
func child(t *testing.T, strace int) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", strace, strace))
	must(t, err)
	var pid int
	_, err = fmt.Sscan(string(text), &pid)
	must(t, err)
	return pid
}

// needStrace installs strace where it is missing.
func needStrace(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("strace"); err == nil {
		return
	}
	if err := debian.Install(t.Context(), "strace"); err != nil {
		t.Fatalf("strace is needed: install it (apt-get install strace): %v", err)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
