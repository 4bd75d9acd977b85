// Package upstream is the client of one upstream registry: authorization, redirects, limits and typed errors, and no
// cache, no retries and no choice between upstreams, which are for the callers.
//
// It remembers what it met: requests to an upstream that does not answer, or that wants to be left alone, fail at once
// (health.go, pause.go), so that a caller's next upstream or its cache serves without delay.
//
// Credentials go to the upstream itself and to the token server that it names, never to another host: see guard.go. A
// client certificate goes to the upstream alone: see wire.go.
package upstream
