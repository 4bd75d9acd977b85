package contender

import "fmt"

// distributionText is a registry as distribution's documentation has it, but for the log, which is quiet.
const distributionText = `version: 0.1
log: {level: error, accesslog: {disabled: true}}
storage:
  filesystem: {rootdirectory: %q}
  delete: {enabled: true}
  cache: {blobdescriptor: inmemory}
http: {addr: %q}
`

// distributionProxy makes it a pull-through cache.
const distributionProxy = "proxy: {remoteurl: %q}\n"

func (s *Server) distribution() error {
	text := fmt.Sprintf(distributionText, s.cache(), s.Address)
	if !s.place.Push {
		text += fmt.Sprintf(distributionProxy, "http://"+s.place.Upstream)
	}
	path, err := s.configure("registry.yaml", text)
	s.command = func() (string, []string) { return s.place.Programs.Distribution, []string{"serve", path} }
	return err
}
