package contender

import (
	"fmt"
	"os"
	"path/filepath"
)

// nginxText is what both uses of nginx have in common. No log is kept, as none of the others keeps one.
const nginxText = `daemon off;
%[1]s
worker_processes auto;
pid %[2]s/nginx.pid;
error_log %[2]s/error.log error;
events { worker_connections 4096; }
http {
  access_log off;
  sendfile on;
  tcp_nopush on;
  keepalive_requests 1000000;
  keepalive_timeout 120s;
  default_type application/octet-stream;
  client_body_temp_path %[2]s/body;
  proxy_temp_path %[2]s/proxy;
  fastcgi_temp_path %[2]s/fastcgi;
  uwsgi_temp_path %[2]s/uwsgi;
  scgi_temp_path %[2]s/scgi;
%[3]s
}
`

const proxyCacheText = `
  proxy_cache_path %[1]s levels=1:2 keys_zone=registry:64m max_size=50g inactive=7d use_temp_path=off;
  upstream origin { server %[2]s; keepalive 32; }
  server {
    listen %[3]s%[4]s;
    location / {
      proxy_pass http://origin;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_cache registry;
      proxy_cache_valid 200 1h;
      proxy_cache_key $uri;
      proxy_cache_lock on;
      proxy_cache_lock_timeout 1h;
      proxy_cache_lock_age 1h;
    }
  }
`

const staticText = `
  server {
    listen %[1]s%[3]s;
    root %[2]s;
    location = /v2/ { return 200; }
  }
`

func proxyCache(s *Server) string {
	return fmt.Sprintf(proxyCacheText, s.cache(), s.place.Upstream, s.Address, s.nginxTLS())
}

func static(s *Server) string { return fmt.Sprintf(staticText, s.Address, s.place.Tree, s.nginxTLS()) }

// nginxTLS follows the address that a server of nginx listens on. The buffers are those that it has by default.
func (s *Server) nginxTLS() string {
	if !s.place.TLS {
		return ""
	}
	return fmt.Sprintf(" ssl;\n    ssl_protocols TLSv1.3;\n    ssl_certificate %[1]s/tls.crt;\n    ssl_certificate_key %[1]s/tls.key", s.place.Directory)
}

func (s *Server) nginx(servers string) error {
	user := ""
	if os.Geteuid() == 0 {
		user = "user root;" // what it reads and writes is this user's
	}
	path, err := s.configure("nginx.conf", fmt.Sprintf(nginxText, user, s.place.Directory, servers))
	s.command = func() (string, []string) {
		return s.place.Programs.Nginx, []string{"-p", s.place.Directory, "-e", filepath.Join(s.place.Directory, "error.log"), "-c", path}
	}
	return err
}
