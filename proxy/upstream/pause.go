package upstream

import (
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/registryhub/registryhub/proxy/distspec"
)

// maxPause is how long an upstream is left alone at most. It may have asked for more: the first request after this
// finds out.
const maxPause = 5 * time.Minute

// kindToken is the kind of an exchange of a token, beside those of requests.
const kindToken distspec.Kind = "token"

// pauses keep requests of a kind from an upstream that answered one of them 429 with Retry-After (RFC 6585, section
// 4). Limits differ by kind: Docker Hub's is for manifests alone.
type pauses struct {
	mu   sync.Mutex
	kept map[distspec.Kind]pause
}

type pause struct {
	answer StatusError
	// until is when requests are sent again, retryAt what the upstream asked for.
	until, retryAt time.Time
}

// learn begins a pause if the error is an answer that asks for one.
func (p *pauses) learn(kind distspec.Kind, err error) {
	answer, ok := errors.AsType[*StatusError](err)
	if !ok || answer.Status != http.StatusTooManyRequests || answer.RetryAfter <= 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.kept == nil {
		p.kept = map[distspec.Kind]pause{}
	}
	now := time.Now()
	p.kept[kind] = pause{answer: *answer, until: now.Add(min(answer.RetryAfter, maxPause)), retryAt: now.Add(answer.RetryAfter)}
}

// check is the answer that stands for one to a request of this kind, with the rest of its Retry-After; nil when a request
// may be sent.
func (p *pauses) check(kind distspec.Kind) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	kept, found := p.kept[kind]
	if !found || !now.Before(kept.until) {
		delete(p.kept, kind)
		return nil
	}
	answer := kept.answer
	answer.RetryAfter = kept.retryAt.Sub(now)
	return unsentError{&answer}
}
