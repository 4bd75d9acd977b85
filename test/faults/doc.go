// Package faults proves what the proxy promises while its upstreams fail and while it is killed: the real program in
// front of upstreams that fail as they are told to (package origin), with real clients behind it.
//
// TestMatrix holds a table of faults and of what each client sees; docs/faults.md is made of it. To add a fault, write
// it in package origin and give it a row in table_test.go.
package faults
