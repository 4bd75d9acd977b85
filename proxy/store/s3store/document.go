package s3store

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/minio/minio-go/v7"

	"github.com/registryhub/registryhub/proxy/store"
)

// What a registry says of something is a document, written on the condition that it stands where it stood when it was looked
// at. Each has a nonce, so that no two writes have the same ETag, and begins with a brace. Servers need not know how to
// remove a key on condition, so that what is taken away is written over by a grave, in which the next document may stand. A
// grave that is old is closed, and from then on nobody writes there until whoever closed it has removed the key.
const (
	nonceBegins = `{"nonce":"`
	nonceEnds   = `",`
	// maxGrave is the most bytes of a grave, and less than those of any document.
	maxGrave = 40
)

var (
	openGrave   = []byte("gone ")
	closedGrave = []byte("going ")
)

const (
	// swapTries is how often a write is made that the server was too busy for.
	swapTries = 5
	// removeWithin is how long a grave may be closed until its key is removed, and takeOverAfter when somebody else may do it,
	// or write there: the request of the former is over by then.
	removeWithin  = 10 * time.Second
	takeOverAfter = time.Minute
	// lookAgain is how often a closed grave is looked at by who waits for it.
	lookAgain = 20 * time.Millisecond
)

// fresh is the document of a value, which is a struct with a member at least.
func fresh(value any) ([]byte, error) {
	text, err := json.Marshal(value)
	if err != nil {
		return nil, err
	}
	return append([]byte(nonceBegins+rand.Text()+nonceEnds), text[1:]...), nil
}

// renewed is a document in the same words, which is another all the same.
func renewed(content []byte) []byte {
	again := bytes.Clone(content)
	copy(again[len(nonceBegins):], rand.Text())
	return again
}

func (d document) exists() bool { return d.etag != "" }

// live says that there is something, and not a grave.
func (d document) live() bool { return bytes.HasPrefix(d.content, []byte(nonceBegins)) }

func (d document) closed() bool { return bytes.HasPrefix(d.content, closedGrave) }

// age is how long ago a document was written, by the server's clock, which tells whole seconds, and no more than that.
func (d document) age() time.Duration {
	written, err := http.ParseTime(d.header.Get("Last-Modified"))
	if err != nil {
		return 0
	}
	return max(0, serverNow(d.header).Sub(written)-time.Second)
}

// touched is when it was written by this process's clock, or a little later.
func (d document) touched() time.Time { return time.Now().Add(-d.age()) }

// isGrave tells a grave by its size, in a listing.
func isGrave(info minio.ObjectInfo) bool { return info.Size <= maxGrave }

// look reads a document as it stands: the zero document where there is none.
func (r *Registry) look(ctx context.Context, key string) (document, error) {
	d, err := r.bucket.read(ctx, key)
	if errors.Is(err, store.ErrNotFound) {
		return document{}, nil
	}
	return d, err
}

// find is look at what is there. store.ErrNotFound.
func (r *Registry) find(ctx context.Context, key string) (document, error) {
	d, err := r.bucket.read(ctx, key)
	if err == nil && !d.live() {
		err = store.ErrNotFound
	}
	return d, err
}

// site is look at where something may be written. It waits while a grave is closed there.
func (r *Registry) site(ctx context.Context, key string) (document, error) {
	until := time.Now().Add(r.bucket.timeouts.Answer)
	for {
		d, err := r.look(ctx, key)
		if err != nil || !d.closed() || d.age() > takeOverAfter {
			return d, err
		}
		if time.Now().After(until) {
			return d, fmt.Errorf("%w: %s is being removed: try again in a minute", store.ErrFailing, key)
		}
		select {
		case <-ctx.Done():
			return d, ctx.Err()
		case <-time.After(lookAgain):
		}
	}
}

// replace writes in the place of what was looked at. errChanged: something else stands there now. A write that was kept, and
// whose answer was lost, is known by its nonce.
func (r *Registry) replace(ctx context.Context, key string, before document, content []byte) error {
	if err := r.conditions.hold(ctx, r); err != nil {
		return err
	}
	err := errChanged
	for range swapTries {
		err = r.bucket.write(ctx, key, content, standing(before))
		if !errors.Is(err, errChanged) && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		now, lookErr := r.look(ctx, key)
		switch {
		case lookErr != nil:
			return lookErr
		case bytes.Equal(now.content, content):
			return nil
		case now.etag != before.etag:
			return errChanged
		}
	}
	return err
}

// standing is the condition that a document stands, or that there is none.
func standing(d document) minio.PutObjectOptions {
	condition := minio.PutObjectOptions{ContentType: "application/json"}
	if d.exists() {
		condition.SetMatchETag(d.etag)
	} else {
		condition.SetMatchETagExcept("*")
	}
	return condition
}

// put writes a value whatever stands there, and whoever else writes.
func (r *Registry) put(ctx context.Context, key string, value any) error {
	content, err := fresh(value)
	if err != nil {
		return err
	}
	for {
		before, err := r.site(ctx, key)
		if err == nil {
			err = r.replace(ctx, key, before, content)
		}
		if !errors.Is(err, errChanged) {
			return err
		}
	}
}

// renew writes a document again, so that it is young. store.ErrNotFound. One that somebody else wrote meanwhile is young.
func (r *Registry) renew(ctx context.Context, key string, before document) error {
	err := r.replace(ctx, key, before, renewed(before.content))
	if errors.Is(err, errChanged) {
		_, err = r.find(ctx, key)
	}
	return err
}

// bury takes a document away. errChanged.
func (r *Registry) bury(ctx context.Context, key string, before document) error {
	return r.replace(ctx, key, before, append(bytes.Clone(openGrave), rand.Text()...))
}

// take takes away what is there, whoever writes meanwhile. store.ErrNotFound.
func (r *Registry) take(ctx context.Context, key string) error {
	for {
		before, err := r.find(ctx, key)
		if err == nil {
			err = r.bury(ctx, key, before)
		}
		if !errors.Is(err, errChanged) {
			return err
		}
	}
}

// takeUnused takes away what was not written after a time. store.ErrInUse, store.ErrNotFound.
func (r *Registry) takeUnused(ctx context.Context, key string, unusedSince time.Time) error {
	before, err := r.find(ctx, key)
	if err == nil && before.touched().After(unusedSince) {
		err = store.ErrInUse
	}
	if err == nil {
		err = r.bury(ctx, key, before)
	}
	if errors.Is(err, errChanged) {
		err = store.ErrInUse
	}
	return err
}

// remove removes the key of a grave that is as old as that.
func (r *Registry) remove(ctx context.Context, key string, goneSince time.Time) error {
	grave, err := r.look(ctx, key)
	if err != nil || !grave.exists() || grave.live() || grave.touched().After(goneSince) || grave.closed() && grave.age() < takeOverAfter {
		return err
	}
	began := time.Now()
	err = r.replace(ctx, key, grave, append(bytes.Clone(closedGrave), rand.Text()...))
	if errors.Is(err, errChanged) || err == nil && time.Since(began) > removeWithin {
		return nil // somebody has built there, or will have it removed
	}
	if err != nil {
		return err
	}
	return r.bucket.remove(ctx, key)
}
