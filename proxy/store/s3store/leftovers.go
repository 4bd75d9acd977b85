package s3store

import (
	"context"
	"time"
)

// staleUpload is the age at which an upload in parts is taken to be left over from a crash.
const staleUpload = 24 * time.Hour

// abortLeftovers ends uploads to a folder that nobody goes on with: what their parts take is in no listing of objects, and is
// paid for.
func (s *Store) abortLeftovers(ctx context.Context, folder string, begunBefore time.Time) error {
	if err := s.bucket.gate.check(); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends the listing
	for upload := range s.bucket.core.ListIncompleteUploads(ctx, s.bucket.name, s.keys.in(folder), true) {
		if upload.Err != nil {
			return s.bucket.given(ctx, upload.Err)
		}
		if upload.Initiated.After(begunBefore) {
			continue
		}
		if err := s.abort(ctx, upload.Key, upload.UploadID); err != nil {
			return err
		}
	}
	return nil
}
