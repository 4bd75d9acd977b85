// Package pki decides and makes what TLS between nodes and hubs needs: a certificate authority of the cluster's own, which
// is replaced in steps without a pull that fails, and the leaf certificates that it signs.
//
// It is pure: what there is and what time it is come in as values. Only keys and serial numbers are random, and the
// standard library sees to that itself (since Go 1.26 it takes no other source of randomness for them).
package pki
