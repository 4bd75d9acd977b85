package proxy

import "time"

// DrainWithin is for a test that does not wait for as long as DrainTimeout. It is called before Run.
func (s *Server) DrainWithin(d time.Duration) { s.drainWithin = d }
