package upstream

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	config "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/proxy/secretfile"
)

func TestTenTagRequestsTakeOneToken(t *testing.T) {
	server, tokens, seen := guardedRegistry(t, "team/app")
	c := client(t, server.URL)
	for range 10 {
		if _, err := c.Manifest(t.Context(), "team/app", tagged(t, "v1")); err != nil {
			t.Fatal(err)
		}
	}
	if got := len(tokens.exchanges()); got != 1 {
		t.Errorf("%d exchanges, want 1", got)
	}
	if got := len(seen.requests()); got != 11 { // One that was challenged, and ten.
		t.Errorf("%d requests, want 11", got)
	}
}

func TestConcurrentFirstRequestsShareOneExchange(t *testing.T) {
	server, tokens, _ := guardedRegistry(t, "team/app")
	c := client(t, server.URL)
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if _, err := c.Manifest(t.Context(), "team/app", tagged(t, "v1")); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if got := len(tokens.exchanges()); got != 1 {
		t.Errorf("%d exchanges, want 1", got)
	}
}

func TestScopeAndURLHoldThePrefix(t *testing.T) {
	server, tokens, seen := guardedRegistry(t, "hub/library/alpine", "hub/library/nginx")
	c := client(t, server.URL+"/hub")
	for _, repository := range []string{"library/alpine", "library/nginx"} {
		if _, err := c.Manifest(t.Context(), repository, tagged(t, "v1")); err != nil {
			t.Fatal(err)
		}
	}
	exchanges := tokens.exchanges()
	scopes := make([]string, 0, len(exchanges))
	for _, r := range exchanges {
		query, _ := url.ParseQuery(r.query)
		scopes = append(scopes, strings.Join(query["scope"], "+"))
		if query.Get("service") != "test" {
			t.Errorf("the service is %q", query.Get("service"))
		}
	}
	if want := "repository:hub/library/alpine:pull repository:hub/library/nginx:pull"; strings.Join(scopes, " ") != want {
		t.Errorf("got the scopes %v, want %s", scopes, want)
	}
	// The second repository is asked for by what the first was challenged with: three requests and not four.
	if got := seen.requests(); len(got) != 3 || got[2].path != "/v2/hub/library/nginx/manifests/v1" {
		t.Errorf("got the requests %+v", got)
	}
}

func TestRotatedCredentialsArePickedUp(t *testing.T) {
	server, tokens, _ := guardedRegistry(t, "team/app")
	directory := t.TempDir()
	writeFile(t, directory, "username", "robot\n")
	writeFile(t, directory, "password", "old\n")
	tokens.setPassword("old")
	c := client(t, server.URL, func(cfg *config.UpstreamConfiguration) { cfg.CredentialsDirectory = directory })
	get := func() error {
		_, err := c.Manifest(t.Context(), "team/app", tagged(t, "v1"))
		return err
	}
	if err := get(); err != nil {
		t.Fatal(err)
	}
	tokens.setPassword("new")
	tokens.revoke()
	if err := get(); !IsUnauthorized(err) || strings.Contains(err.Error(), "old") {
		t.Fatalf("with the old password: %v", err)
	}
	writeFile(t, directory, "password", "new")
	if err := get(); err != nil {
		t.Errorf("with the new password: %v", err)
	}
}

func TestRevokedTokenIsReplaced(t *testing.T) {
	server, tokens, _ := guardedRegistry(t, "team/app")
	c := client(t, server.URL)
	for range 2 {
		if _, err := c.Manifest(t.Context(), "team/app", tagged(t, "v1")); err != nil {
			t.Fatal(err)
		}
		tokens.revoke()
	}
	if got := len(tokens.exchanges()); got != 2 {
		t.Errorf("%d exchanges, want 2", got)
	}
}

// The registry refuses whatever token it is shown, as Docker Hub does for a repository that is not there.
func TestRefusedTokenEndsIn401(t *testing.T) {
	_, tokens, _ := guardedRegistry(t)
	c := client(t, httpRefuser(t, tokens))
	for range 2 {
		if _, err := c.Manifest(t.Context(), "x", tagged(t, "v1")); Status(err) != http.StatusUnauthorized {
			t.Errorf("got %v, want 401", err)
		}
	}
	if got := len(tokens.exchanges()); got != 2 {
		t.Errorf("%d exchanges, want one for each request", got)
	}
}

// httpRefuser is a registry that challenges every request.
func httpRefuser(t *testing.T, k *tokens) string {
	t.Helper()
	server, _ := serveFunc(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer realm=%q,service="test",scope="repository:x:pull"`, k.realm))
		w.WriteHeader(http.StatusUnauthorized)
	})
	return server.URL
}

func TestTokenServerAnswers(t *testing.T) {
	tests := map[string]struct {
		status       int
		body         string
		unauthorized bool
		unavailable  bool
		invalid      bool
	}{
		"refused":              {401, "secret-detail", true, false, false},
		"forbidden":            {403, "secret-detail", true, false, false},
		"too many":             {429, "secret-detail", false, true, false},
		"broken":               {503, "secret-detail", false, true, false},
		"404 is not a verdict": {404, "secret-detail", false, true, false},
		"400 is not a verdict": {400, `{"errors":[{"code":"X","message":"secret-detail"}]}`, false, true, false},
		"no token":             {200, `{"refresh_token":"secret-detail"}`, false, false, true},
		"no JSON":              {200, `secret-detail`, false, false, true},
		"an endless answer":    {200, `{"token":"` + strings.Repeat("secret-detail", 10000) + `"}`, false, false, true},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			tokenServer, _ := serveFunc(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Retry-After", "7")
				w.WriteHeader(tc.status)
				_, _ = w.Write([]byte(tc.body))
			})
			_, err := client(t, httpRefuser(t, &tokens{realm: tokenServer.URL})).Manifest(t.Context(), "x", tagged(t, "v1"))
			if IsUnauthorized(err) != tc.unauthorized || IsUnavailable(err) != tc.unavailable || IsInvalidResponse(err) != tc.invalid || IsNotFound(err) {
				t.Errorf("got %v", err)
			}
			if err == nil || strings.Contains(err.Error(), "secret-detail") {
				t.Errorf("the error tells what the token server said: %v", err)
			}
			if s, ok := errors.AsType[*StatusError](err); ok && s.RetryAfter != 7*time.Second {
				t.Errorf("got Retry-After %v", s.RetryAfter)
			}
		})
	}
}

func TestTokenServerThatHangs(t *testing.T) {
	tokenServer, _ := serveFunc(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	c := clientWith(t, httpRefuser(t, &tokens{realm: tokenServer.URL}), brief())
	if _, err := c.Manifest(t.Context(), "x", tagged(t, "v1")); !IsUnavailable(err) {
		t.Errorf("got %v, want it to be unavailability", err)
	}
}

func TestTokenServerThatLeadsElsewhereIsRefused(t *testing.T) {
	thief, stolen := serveFunc(t, func(http.ResponseWriter, *http.Request) {})
	tokenServer, _ := serve(t, http.RedirectHandler(thief.URL, http.StatusTemporaryRedirect))
	directory := basicAuth(t)
	c := client(t, httpRefuser(t, &tokens{realm: tokenServer.URL}), func(cfg *config.UpstreamConfiguration) { cfg.CredentialsDirectory = directory })
	if _, err := c.Manifest(t.Context(), "x", tagged(t, "v1")); !IsInvalidResponse(err) {
		t.Errorf("got %v, want it refused", err)
	}
	if got := stolen.requests(); len(got) != 0 {
		t.Errorf("the other host saw %+v", got)
	}
}

func TestTokenServerThatBreaksOffIsUnavailability(t *testing.T) {
	tokenServer, _ := serve(t, cut(http.StatusOK, "Content-Length", "100"))
	_, err := client(t, httpRefuser(t, &tokens{realm: tokenServer.URL})).Manifest(t.Context(), "x", tagged(t, "v1"))
	if !IsUnavailable(err) {
		t.Errorf("got %v", err)
	}
}

// An identity token is exchanged by distribution's OAuth2 flow: a POST.
func TestIdentityToken(t *testing.T) {
	var form url.Values
	tokenServer, _ := serveFunc(t, func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		form = r.PostForm
		_, _ = w.Write([]byte(`{"access_token":"granted"}`))
	})
	inner := realRegistry(t, "x")
	server, _ := serveFunc(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") == "Bearer granted" {
			inner.ServeHTTP(w, r)
			return
		}
		w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer realm=%q,service="test"`, tokenServer.URL))
		w.WriteHeader(http.StatusUnauthorized)
	})
	host := strings.TrimPrefix(server.URL, "http://")
	file := writeFile(t, t.TempDir(), "config.json", `{"auths":{"`+host+`":{"identitytoken":"identity"}}}`)
	c := client(t, server.URL, func(cfg *config.UpstreamConfiguration) { cfg.DockerConfigFile = file })
	if _, err := c.Manifest(t.Context(), "x", tagged(t, "v1")); err != nil {
		t.Fatal(err)
	}
	if form.Get("refresh_token") != "identity" || form.Get("scope") != "repository:x:pull" {
		t.Errorf("the token server got %v", form)
	}
}

func TestBasicAuthorization(t *testing.T) {
	inner := realRegistry(t, "a")
	var refused atomic.Int32
	server, _ := serveFunc(t, func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "robot" || password != "hunter2" {
			refused.Add(1)
			w.Header().Set("WWW-Authenticate", `Basic realm="registry"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		inner.ServeHTTP(w, r)
	})
	directory := basicAuth(t)
	c := client(t, server.URL, func(cfg *config.UpstreamConfiguration) { cfg.CredentialsDirectory = directory })
	for range 3 {
		if _, err := c.Manifest(t.Context(), "a", tagged(t, "v1")); err != nil {
			t.Fatal(err)
		}
	}
	if got := refused.Load(); got != 1 {
		t.Errorf("%d requests were challenged, want 1", got)
	}
	if _, err := client(t, server.URL).Manifest(t.Context(), "a", tagged(t, "v1")); !IsUnauthorized(err) {
		t.Errorf("without credentials: %v", err)
	}
}

func TestUnreadableCredentialsAreNeverAnonymous(t *testing.T) {
	server, tokens, _ := guardedRegistry(t, "a")
	directory := t.TempDir()
	c := client(t, server.URL, func(cfg *config.UpstreamConfiguration) { cfg.CredentialsDirectory = directory })
	_, err := c.Manifest(t.Context(), "a", tagged(t, "v1"))
	if e, ok := errors.AsType[*secretfile.Error](err); !ok || e.File != directory {
		t.Errorf("got %v, want an error that names %s", err, directory)
	}
	if got := len(tokens.exchanges()); got != 0 {
		t.Errorf("%d exchanges without credentials", got)
	}
}

func TestChallengesThatCannotBeMet(t *testing.T) {
	for _, challenge := range []string{"", "Negotiate", "Bearer", `Bearer service="x"`, `Digest realm="x"`} {
		server, seen := serveFunc(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("WWW-Authenticate", challenge)
			w.WriteHeader(http.StatusUnauthorized)
		})
		_, err := client(t, server.URL).Manifest(t.Context(), "a", tagged(t, "v1"))
		if !IsUnauthorized(err) || len(seen.requests()) != 1 {
			t.Errorf("%q: got %v after %d requests", challenge, err, len(seen.requests()))
		}
	}
}

func TestChallengeScopeIsHonouredButNeverWidened(t *testing.T) {
	own := "repository:a/b:pull"
	for scope, want := range map[string]string{
		"":                                    own,
		own:                                   own,
		"repository:real/a/b:pull":            "repository:real/a/b:pull " + own,
		"repository:a/b:pull,push":            own,
		"repository:a/b:push":                 own,
		"repository:x:push repository:y:pull": own,
	} {
		got := strings.Join(challenge{scope: scope}.forRepository("a/b").scopes("a/b"), " ")
		if got != want {
			t.Errorf("%q: asks for %q, want %q", scope, got, want)
		}
	}
}

// fakeExchanger counts, and makes credentials that live a minute.
type fakeExchanger struct {
	calls atomic.Int32

	mu   sync.Mutex
	wait time.Duration
	err  error
}

func (f *fakeExchanger) delay(wait time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.wait = wait
}

func (f *fakeExchanger) fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.err = err
}

func (f *fakeExchanger) behaviour() (time.Duration, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.wait, f.err
}

func (f *fakeExchanger) exchange(ctx context.Context, repository string, c challenge) (credential, error) {
	n := f.calls.Add(1)
	wait, err := f.behaviour()
	select {
	case <-time.After(wait):
	case <-ctx.Done():
		return credential{}, ctx.Err()
	}
	now := time.Now()
	return credential{challenge: c, header: fmt.Sprintf("%s-%d", repository, n), issued: now, expires: now.Add(time.Minute)}, err
}

// learned is an authorizer that has seen a challenge, and exchanges a minute's credentials.
func learned(f *fakeExchanger, timeout time.Duration) *authorizer {
	a := newAuthorizer(f, timeout)
	a.learn(challenge{scheme: "bearer", realm: "https://auth.example/token"})
	return a
}

func (a *authorizer) want(t *testing.T, when, header string) {
	t.Helper()
	if got, err := a.authorize(t.Context(), "a"); err != nil || got.header != header {
		t.Errorf("%s: got %q, %v; want %q", when, got.header, err, header)
	}
}

func TestCredentialIsKeptForItsLifetime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeExchanger{}
		a := learned(f, time.Second)
		a.want(t, "at first", "a-1")
		elapse(47 * time.Second)
		a.want(t, "before the last fifth", "a-1")
		elapse(13 * time.Second)
		a.want(t, "after the end", "a-2")
		if got := f.calls.Load(); got != 2 {
			t.Errorf("%d exchanges, want 2", got)
		}
	})
}

func TestCredentialIsRenewedAheadAndNobodyWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeExchanger{}
		a := learned(f, time.Minute)
		a.want(t, "at first", "a-1")
		f.delay(2 * time.Second)
		elapse(48 * time.Second)
		for range 10 {
			a.want(t, "in the last fifth", "a-1")
		}
		elapse(time.Second)
		a.want(t, "during the exchange", "a-1")
		elapse(time.Second)
		a.want(t, "after it", "a-2")
		elapse(47 * time.Second)
		a.want(t, "in the next one's life", "a-2")
		if got := f.calls.Load(); got != 2 {
			t.Errorf("%d exchanges, want 2", got)
		}
	})
}

func TestFailureToRenewAheadIsNoneWhileTheOldOneLives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeExchanger{}
		a := learned(f, time.Second)
		a.want(t, "at first", "a-1")
		f.fail(errors.New("no"))
		elapse(48 * time.Second)
		for range 119 {
			a.want(t, "while it lives", "a-1")
			elapse(100 * time.Millisecond)
		}
		if got := f.calls.Load(); got < 3 || got > 8 {
			t.Errorf("%d exchanges in the last twelve seconds, want few", got-1)
		}
		elapse(100 * time.Millisecond)
		if _, err := a.authorize(t.Context(), "a"); err == nil {
			t.Error("no error although the old one is dead")
		}
		f.fail(nil)
		if got, err := a.authorize(t.Context(), "a"); err != nil || got.header == "a-1" {
			t.Errorf("got %q, %v; want a new one", got.header, err)
		}
	})
}

func TestTimeToRenewAheadIsBounded(t *testing.T) {
	issued := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for life, want := range map[time.Duration]time.Duration{
		time.Minute: 48 * time.Second, 5 * time.Minute: 4 * time.Minute, 24 * time.Hour: 24*time.Hour - maxAhead,
	} {
		got := credential{issued: issued, expires: issued.Add(life)}.renewedAhead().renewAt.Sub(issued)
		if got != want {
			t.Errorf("a life of %v: renewed after %v, want %v", life, got, want)
		}
	}
}

func TestRevokedTokenIsReplacedOnceForAllWhoHaveIt(t *testing.T) {
	server, tokens, _ := guardedRegistry(t, "team/app")
	c := client(t, server.URL)
	get := func() {
		if _, err := c.Manifest(t.Context(), "team/app", tagged(t, "v1")); err != nil {
			t.Error(err)
		}
	}
	get()
	tokens.revoke()
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(get)
	}
	wg.Wait()
	if got := len(tokens.exchanges()); got != 2 {
		t.Errorf("%d exchanges, want the first and one more", got)
	}
}

func TestExchangeGoesOnWhenItsCallerLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeExchanger{wait: time.Second}
		a := newAuthorizer(f, time.Minute)
		a.learn(challenge{scheme: "bearer", realm: "https://auth.example/token"})
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if _, err := a.authorize(ctx, "a"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the caller got %v", err)
		}
		if got, err := a.authorize(t.Context(), "a"); err != nil || got.header != "a-1" {
			t.Errorf("the next caller got %q, %v; want what the first had begun", got.header, err)
		}
	})
}

func TestExchangeIsBoundedInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAuthorizer(&fakeExchanger{wait: time.Hour}, time.Second)
		a.learn(challenge{scheme: "bearer"})
		if _, err := a.authorize(t.Context(), "a"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
	})
}

func TestFailedExchangeIsNotKept(t *testing.T) {
	f := &fakeExchanger{err: errors.New("no")}
	a := newAuthorizer(f, time.Second)
	a.learn(challenge{scheme: "bearer"})
	for range 2 {
		if _, err := a.authorize(t.Context(), "a"); err == nil {
			t.Error("no error")
		}
	}
	if got := f.calls.Load(); got != 2 {
		t.Errorf("%d exchanges, want 2", got)
	}
}

func TestCredentialsKeptAreBounded(t *testing.T) {
	a := newAuthorizer(&fakeExchanger{}, time.Second)
	a.learn(challenge{scheme: "bearer"})
	for i := range maxCredentials + 10 {
		if _, err := a.authorize(t.Context(), fmt.Sprintf("r%d", i)); err != nil {
			t.Fatal(err)
		}
	}
	if got := len(a.kept); got != maxCredentials {
		t.Errorf("%d credentials are kept, want %d", got, maxCredentials)
	}
	if _, kept := a.kept["r0"]; kept {
		t.Error("the first to expire is still kept")
	}
}

func writeFile(t *testing.T, directory, name, content string) string {
	t.Helper()
	file := filepath.Join(directory, name)
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// basicAuth is a mounted Secret of the type kubernetes.io/basic-auth.
func basicAuth(t *testing.T) string {
	t.Helper()
	directory := t.TempDir()
	writeFile(t, directory, "username", "robot")
	writeFile(t, directory, "password", "hunter2")
	return directory
}
