package contender

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"k8s.io/apimachinery/pkg/api/resource"

	config "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/hack/s3server"
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
	if s.place.Bucket != "" {
		if file.Store.S3, err = s.bucket(); err != nil {
			return err
		}
	}
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

// bucket is where our registry keeps what is pushed. Its directory is scratch space then.
func (s *Server) bucket() (*config.S3StoreConfiguration, error) {
	keys := filepath.Join(s.place.Directory, "keys")
	err := errors.Join(os.Mkdir(keys, 0o700), s3server.WriteKeys(keys))
	return &config.S3StoreConfiguration{
		Endpoint: s.place.Bucket, Bucket: BucketName, CredentialsDirectory: keys, MaxSize: resource.MustParse("100Gi"),
	}, err
}
