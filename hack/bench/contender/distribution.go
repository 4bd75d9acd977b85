package contender

import (
	"fmt"

	"github.com/registryhub/registryhub/hack/s3server"
)

// distributionText is a registry as distribution's documentation has it, but for the log, which is quiet.
const distributionText = `version: 0.1
log: {level: error, accesslog: {disabled: true}}
storage:
  %s
  delete: {enabled: true}
  cache: {blobdescriptor: inmemory}
http: {addr: %q}
`

// Where it keeps what it has.
const (
	distributionDirectory = "filesystem: {rootdirectory: %q}"
	distributionBucket    = "s3: {regionendpoint: %q, forcepathstyle: true, secure: false, region: %s, bucket: %s, accesskey: %s, secretkey: %s}"
)

// distributionProxy makes it a pull-through cache.
const distributionProxy = "proxy: {remoteurl: %q}\n"

func (s *Server) distribution() error {
	storage := fmt.Sprintf(distributionDirectory, s.cache())
	if s.place.Bucket != "" {
		storage = fmt.Sprintf(distributionBucket, s.place.Bucket, s3server.Region, BucketName, s3server.AccessKeyID, s3server.SecretAccessKey)
	}
	text := fmt.Sprintf(distributionText, storage, s.Address)
	if !s.place.Push {
		text += fmt.Sprintf(distributionProxy, "http://"+s.place.Upstream)
	}
	path, err := s.configure("registry.yaml", text)
	s.command = func() (string, []string) { return s.place.Programs.Distribution, []string{"serve", path} }
	return err
}
