package contender

import "fmt"

// distributionText is a pull-through cache as distribution's documentation has it, but for the log, which is quiet.
const distributionText = `version: 0.1
log: {level: error, accesslog: {disabled: true}}
storage:
  filesystem: {rootdirectory: %q}
  delete: {enabled: true}
  cache: {blobdescriptor: inmemory}
http: {addr: %q}
proxy: {remoteurl: %q}
`

func (s *Server) distribution() error {
	path, err := s.configure("registry.yaml", fmt.Sprintf(distributionText, s.cache(), s.Address, "http://"+s.place.Upstream))
	s.command = func() (string, []string) { return s.place.Programs.Distribution, []string{"serve", path} }
	return err
}
