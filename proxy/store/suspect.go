package store

import "context"

// Suspect is what an Object may be beside, of a store that can find it damaged. A caller finds out by type assertion.
type Suspect interface {
	// Recheck reads again from an offset on, some way, after a Section failed there. It is for the store to say whether it
	// was the store. ErrDamaged: the object cannot be read, and was put aside.
	Recheck(ctx context.Context, offset int64) error
}

// Recheck has an object looked at again, where its store can do that.
func Recheck(ctx context.Context, o Object, offset int64) error {
	if one, ok := o.(Suspect); ok {
		return one.Recheck(ctx, offset)
	}
	return nil
}
