// Package upstream is the client of one upstream registry: authorization, redirects, limits and typed errors, and no
// cache, no retries and no choice between upstreams, which are for the callers.
//
// Credentials go to the upstream itself and to the token server that it names, never to another host: see guard.go.
package upstream
