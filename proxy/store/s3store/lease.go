package s3store

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/minio/minio-go/v7"

	"github.com/registryhub/registryhub/proxy/store"
)

// leaseShare of the time that a claim stands is between two looks at it, by which it is also made anew.
const leaseShare = 4

// lease is who evicts, as this process knows it.
type lease struct {
	mu     sync.Mutex
	looked time.Time
	mine   bool
	terms  int64
}

// claim is the document by which a process is elected. No two are alike, so that each has an ETag of its own.
type claim struct {
	// Process that is elected.
	Process string `json:"process"`
	// Term counts the claims of that process.
	Term int64 `json:"term"`
	// Used is how many bytes the objects have.
	Used int64 `json:"used"`
}

// Elected implements store.Shared: whose claim stands in the bucket, written on the condition that nobody else wrote one. A
// server without conditional writes may have two elected for a moment.
func (s *Store) Elected(ctx context.Context) bool {
	s.lease.mu.Lock()
	defer s.lease.mu.Unlock()
	if time.Since(s.lease.looked) < s.bucket.timeouts.Lease/leaseShare {
		return s.lease.mine
	}
	mine, err := s.stand(ctx)
	s.lease.mine = mine && err == nil
	if ctx.Err() == nil {
		s.lease.looked = time.Now()
	}
	return s.lease.mine
}

// stand stands for election, and learns from the one who is elected how much is used.
func (s *Store) stand(ctx context.Context) (bool, error) {
	now, err := s.bucket.read(ctx, s.keys.evictor())
	if errors.Is(err, store.ErrNotFound) {
		return s.claim(ctx, document{})
	}
	if err != nil {
		return false, err
	}
	var standing claim
	broken := json.Unmarshal(now.content, &standing) != nil
	if broken || standing.Process == s.process || s.expired(now.header) {
		return s.claim(ctx, now)
	}
	s.usage.set(standing.Used)
	return false, nil
}

// expired is by the server's clock alone.
func (s *Store) expired(h http.Header) bool {
	written, err := http.ParseTime(h.Get("Last-Modified"))
	return err == nil && serverNow(h).Sub(written) > s.bucket.timeouts.Lease
}

// claim writes a claim in the place of another, or of none.
func (s *Store) claim(ctx context.Context, before document) (bool, error) {
	s.lease.terms++
	bytes, _ := s.usage.get()
	content, err := json.Marshal(claim{Process: s.process, Term: s.lease.terms, Used: bytes})
	if err != nil {
		return false, err
	}
	condition := minio.PutObjectOptions{ContentType: "application/json"}
	if before.etag == "" {
		condition.SetMatchETagExcept("*")
	} else {
		condition.SetMatchETag(before.etag)
	}
	err = s.bucket.write(ctx, s.keys.evictor(), content, condition)
	if errors.Is(err, errUnconditional) {
		err = s.bucket.write(ctx, s.keys.evictor(), content, jsonDocument)
	}
	if errors.Is(err, errChanged) {
		return false, nil
	}
	return err == nil, err
}
