// Package scale holds a cache of a million objects to its promises: it serves within a second of its start, stays within
// 150 MiB, and pays for an eviction by what is evicted. It takes minutes: `make test-long` runs it.
package scale
