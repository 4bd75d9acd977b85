package clients

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/registryhub/registryhub/test/localregistry"
)

// patience is how long a server may take to answer.
const patience = 30 * time.Second

// nginxText is what docs/guides/registry.md says of an nginx, with what it needs to run without being installed.
const nginxText = `daemon off;
master_process off;
pid %[1]s/nginx.pid;
error_log %[1]s/error.log;
events {}
http {
  access_log off;
  client_body_temp_path %[1]s/body;
  proxy_temp_path %[1]s/proxy;
  fastcgi_temp_path %[1]s/fastcgi;
  uwsgi_temp_path %[1]s/uwsgi;
  scgi_temp_path %[1]s/scgi;
  server {
    listen %[2]s ssl;
    ssl_certificate %[3]s/tls.crt;
    ssl_certificate_key %[3]s/tls.key;
    client_max_body_size 0;
    location / {
      proxy_pass %[4]s;
      proxy_http_version 1.1;
      proxy_request_buffering off;
      %[5]s
    }
  }
}
`

// nginx runs Debian's nginx in front of a URL, over TLS, until the test ends, and returns its address. What it is trusted by
// is in the home. The directives are of its location.
func nginx(t *testing.T, home, url, directives string) string {
	t.Helper()
	program, err := newAssets(t).Nginx(t.Context())
	must(t, err)
	certificate, authority := localregistry.Certify(t)
	must(t, os.WriteFile(authorityIn(home), authority, 0o600))
	folder, address := t.TempDir(), freeAddress(t)
	file := filepath.Join(folder, "nginx.conf")
	must(t, os.WriteFile(file, fmt.Appendf(nil, nginxText, folder, address, certificate, url, directives), 0o600))
	cmd := exec.Command(program, "-p", folder, "-e", filepath.Join(folder, "error.log"), "-c", file)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	must(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait() // it was told to end
		if log, err := os.ReadFile(filepath.Join(folder, "error.log")); t.Failed() && err == nil {
			t.Logf("nginx says:\n%s", log)
		}
	})
	awaitListener(t, address)
	return address
}

func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	must(t, listener.Close())
	return listener.Addr().String()
}

func awaitListener(t *testing.T, address string) {
	t.Helper()
	deadline, again := time.After(patience), time.NewTicker(10*time.Millisecond)
	defer again.Stop()
	for {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			must(t, conn.Close())
			return
		}
		select {
		case <-again.C:
		case <-deadline:
			t.Fatalf("nobody listens at %s after %s: %v", address, patience, err)
		}
	}
}
