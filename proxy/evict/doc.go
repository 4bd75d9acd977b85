// Package evict chooses what a full store gives up. It is pure: what time it is and how full the store is come in as
// values. The loop that applies it is in proxy/evict/sweep.
//
// Objects go least recently used first, manifests like any other: with their small size nothing is won by an order of
// their own, and a tag whose manifest is gone is asked of the upstream again.
package evict
