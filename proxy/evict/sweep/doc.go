// Package sweep keeps a store from running full: it looks how full it is, has proxy/evict choose, and removes.
//
// What to remove first is known from a scan, which is made behind the server. Its table is taken from the front: what was
// used since is passed over, and found again by the next scan, which is made when the table is at its end. So a scan
// is paid for by all that goes until the next one. While there is no table, samples of the store give up their oldest.
package sweep
