package origin

import (
	"crypto/rand"
	"crypto/tls"
	"fmt"
	"net/http"
	"strings"
	"sync"
)

// TokenServer issues tokens without asking who wants them.
type TokenServer struct {
	*Server
	// ExpiresIn is what it says of a token's life, in seconds.
	ExpiresIn int

	mu    sync.Mutex
	valid map[string]bool
}

// NewTokenServer starts one.
func NewTokenServer() (*TokenServer, error) {
	t := &TokenServer{ExpiresIn: 300, valid: map[string]bool{}}
	var err error
	t.Server, err = newServer(t.answer, nil)
	return t, err
}

func (t *TokenServer) answer(r *http.Request) *Answer {
	token := rand.Text()
	t.mu.Lock()
	t.valid[token] = true
	t.mu.Unlock()
	a := newAnswer(r, Tokens, http.StatusOK, fmt.Appendf(nil, `{"token":%q,"expires_in":%d}`, token, t.ExpiresIn))
	a.Header.Set("Content-Type", "application/json")
	return a
}

func (t *TokenServer) knows(token string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.valid[token]
}

func (t *TokenServer) revoke(token string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.valid, token)
}

// GuardedOrigin starts an upstream that wants a token of a token server.
func (r *Registry) GuardedOrigin(tokens *TokenServer, secure *tls.Config) (*Server, error) {
	return newServer(func(request *http.Request) *Answer {
		token := strings.TrimPrefix(request.Header.Get("Authorization"), "Bearer ")
		if !tokens.knows(token) {
			a := newAnswer(request, 0, 0, nil)
			tokens.challenge(a)
			return a
		}
		a := r.answer(request)
		a.revoke = func() {
			tokens.revoke(token)
			tokens.challenge(a)
		}
		return a
	}, secure)
}

// challenge makes an answer ask for a token.
func (t *TokenServer) challenge(a *Answer) {
	a.fail(http.StatusUnauthorized)
	repository, _, _ := strings.Cut(strings.TrimPrefix(a.request.URL.Path, "/v2/"), "/manifests/")
	repository, _, _ = strings.Cut(repository, "/blobs/")
	a.Header.Set("WWW-Authenticate", fmt.Sprintf(`Bearer realm="%s/token",service="origin",scope="repository:%s:pull"`, t.URL, repository))
}
