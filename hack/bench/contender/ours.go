package contender

import (
	"context"

	config "github.com/registryhub/registryhub/api/config/v1alpha1"
)

// host that our hub stands for.
const host = "bench.example"

// ours runs our proxy with a file such as the operator writes.
func (s *Server) ours(ctx context.Context) error {
	diagnostics, err := FreeAddress(ctx)
	if err != nil {
		return err
	}
	s.Query = "?ns=" + host
	listen := config.ListenConfiguration{Registry: s.Address, Diagnostics: diagnostics}
	if s.place.TLS {
		listen.TLS = &config.ListenTLS{CertificateDirectory: s.place.Directory}
	}
	file := &config.ProxyConfiguration{Hub: "bench", Listen: listen, Store: config.StoreConfiguration{Directory: s.cache()}}
	if s.place.Push {
		file.Local = &config.LocalConfiguration{Access: config.LocalAccess{Anonymous: "Push"}}
	} else {
		file.Mirror = &config.MirrorConfiguration{Hosts: []config.MirrorHost{{
			Host:      host,
			Upstreams: []config.UpstreamConfiguration{{Name: "bench", URL: "http://" + s.place.Upstream}},
		}}}
	}
	data, err := config.Encode(file)
	if err != nil {
		return err
	}
	path, err := s.configure("proxy.yaml", string(data))
	s.command = func() (string, []string) { return s.place.Programs.RegistryHub, []string{"proxy", "--config", path} }
	return err
}
