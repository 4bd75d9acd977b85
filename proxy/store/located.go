package store

import "context"

// Located is what an Object may be beside: one that clients can fetch where it lies. A caller finds out by type assertion.
type Located interface {
	// Location is a URL from which anybody can fetch the object by GET, whole or in ranges, for some minutes; empty where
	// clients are not to be sent there.
	Location(ctx context.Context) (string, error)
}
