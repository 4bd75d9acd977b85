// Package distspec is the edge towards the OCI distribution specification (version 1.1): what arrives as text
// (paths, references, Range headers, ?ns=) is parsed here, once, into validated values, and what leaves as text
// (URLs, error bodies) is built here.
//
// The package is pure: no clock, no file system, no client, no logger.
package distspec
