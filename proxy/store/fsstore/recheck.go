package fsstore

import (
	"context"
	"fmt"
	"io"

	"github.com/registryhub/registryhub/proxy/store"
)

// recheckLength is in bytes: more than the kernel reads at once, so that what failed is among it.
const recheckLength = 4 << 20

var _ store.Suspect = (*object)(nil)

// Recheck implements store.Suspect.
func (o *object) Recheck(ctx context.Context, offset int64) error {
	length := min(recheckLength, o.size-offset)
	n, err := io.Copy(io.Discard, io.NewSectionReader(o.file, offset, length))
	if err == nil && n < length {
		err = io.ErrUnexpectedEOF
	}
	if err == nil {
		return nil
	}
	return o.store.quarantine(ctx, o.digest, o.file, fmt.Errorf("%w: %w", errUnreadable, err))
}
