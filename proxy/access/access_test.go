package access_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"
	"golang.org/x/crypto/bcrypt"

	"github.com/registryhub/registryhub/proxy/access"
	"github.com/registryhub/registryhub/proxy/distspec"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// accounts knows alice, unless nobody can be known.
type accounts struct{ err error }

func (a accounts) Verify(_ context.Context, user, password string) (bool, error) {
	return user == "alice" && password == "secret", a.err
}

func policy(anonymous access.Anonymous) access.Policy {
	return access.Policy{Anonymous: anonymous, Accounts: accounts{}, Tokens: access.NewTokens(bytes.Repeat([]byte("k"), 32))}
}

// token gets one, or "".
func token(t *testing.T, p access.Policy, scope string, login ...string) string {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, access.TokenPath+"?service=registryhub&scope="+scope, nil)
	if len(login) == 2 {
		r.SetBasicAuth(login[0], login[1])
	}
	w := httptest.NewRecorder()
	p.ServeToken(w, r)
	var answer struct {
		Token     string
		ExpiresIn int `json:"expires_in"`
	}
	if w.Code != http.StatusOK {
		return ""
	}
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || answer.ExpiresIn <= 0 {
		t.Fatalf("got %s, %v", w.Body, err)
	}
	return answer.Token
}

func TestWhoMayDoWhat(t *testing.T) {
	const app = "team/app"
	basic := func(user, password string) string {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.SetBasicAuth(user, password)
		return r.Header.Get("Authorization")
	}
	users, pull, push := policy(access.AnonymousNone), policy(access.AnonymousPull), policy(access.AnonymousPush)
	nobody := access.Policy{}
	alices := "Bearer " + token(t, users, "repository:team/app:pull,push", "alice", "secret")
	anyones := "Bearer " + token(t, pull, "repository:team/app:pull,push")
	try(t, map[string]attempt{
		"nobody where there are no users":           {nobody, "", app, access.Pull, 403},
		"a password where there are no users":       {nobody, basic("alice", "secret"), app, access.Pull, 403},
		"anyone pulls":                              {access.Policy{Anonymous: access.AnonymousPull}, "", app, access.Pull, 0},
		"anyone pulls, with what is of elsewhere":   {access.Policy{Anonymous: access.AnonymousPull}, basic("x", "y"), app, access.Pull, 0},
		"anyone does not push where they pull":      {access.Policy{Anonymous: access.AnonymousPull}, "", app, access.Push, 403},
		"anyone pushes":                             {access.Policy{Anonymous: access.AnonymousPush}, "", app, access.Push, 0},
		"anyone deletes where they push":            {push, "", app, access.Delete, 0},
		"who says nothing":                          {users, "", app, access.Pull, 401},
		"who says nothing, at the root":             {users, "", "", access.Pull, 401},
		"who says nothing, at the root of a public": {pull, "", "", access.Pull, 401},
		"who says nothing, but pulls":               {pull, "", app, access.Pull, 0},
		"who says nothing, and pushes":              {pull, "", app, access.Push, 401},
		"a user":                                    {users, basic("alice", "secret"), app, access.Push, 0},
		"a user at the root":                        {users, basic("alice", "secret"), "", access.Pull, 0},
		"a wrong password":                          {users, basic("alice", "wrong"), app, access.Pull, 401},
		"a wrong password where anyone pulls":       {pull, basic("alice", "wrong"), app, access.Pull, 401},
		"a user that is not there":                  {users, basic("bob", "secret"), app, access.Pull, 401},
		"nobody can be known":                       {access.Policy{Accounts: accounts{err: errors.New("broken")}}, basic("alice", "secret"), app, access.Pull, 503},
		"a token":                                   {users, alices, app, access.Push, 0},
		"a token at the root":                       {users, alices, "", access.Pull, 0},
		"a token for something else":                {users, alices, app, access.Delete, 401},
		"a token of another repository":             {users, alices, "team/other", access.Pull, 401},
		"a token of anyone":                         {pull, anyones, app, access.Pull, 0},
		"a token of anyone, for more":               {pull, anyones, app, access.Push, 401},
		"a token that is forged":                    {users, alices[:len(alices)-3] + "AAA", app, access.Pull, 401},
		"a token without a signature":               {users, alices[:strings.IndexByte(alices, '.')], app, access.Pull, 401},
		"a token of nothing":                        {users, "Bearer", "", access.Pull, 401},
		"a token where there are no keys":           {access.Policy{Accounts: accounts{}}, alices, app, access.Pull, 401},
		"what nobody knows":                         {users, "Digest x", app, access.Pull, 401},
	})
}

// attempt is what somebody tries, and how it ends.
type attempt struct {
	policy        access.Policy
	authorization string
	repository    string
	action        access.Action
	status        int // 0: it may be done
}

// try tries them all. Who is to say who they are is led to where a token is had, and nobody else is.
func try(t *testing.T, attempts map[string]attempt) {
	t.Helper()
	for name, tc := range attempts {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodGet, "http://10.0.0.1:5000/v2/", nil)
			if tc.authorization != "" {
				r.Header.Set("Authorization", tc.authorization)
			}
			h := http.Header{}
			err := tc.policy.Check(h, r, tc.repository, tc.action)
			e, _ := errors.AsType[*distspec.Error](err)
			challenged := strings.HasPrefix(h.Get("WWW-Authenticate"), `Bearer realm="http://10.0.0.1:5000/auth/token",service=`)
			switch {
			case err == nil && tc.status != 0, e == nil && err != nil, e != nil && e.Status != tc.status:
				t.Errorf("got %v, want %d", err, tc.status)
			case (tc.status == 401) != challenged:
				t.Errorf("with %d the challenge is %q", tc.status, h.Get("WWW-Authenticate"))
			}
		})
	}
}

func TestANodePullsByItsCertificate(t *testing.T) {
	shown := &tls.ConnectionState{VerifiedChains: [][]*x509.Certificate{{{}}}}
	for name, tc := range map[string]struct {
		nodes  bool
		state  *tls.ConnectionState
		action access.Action
		may    bool
	}{
		"a node pulls":                       {true, shown, access.Pull, true},
		"a node pushes":                      {true, shown, access.Push, false},
		"who shows none":                     {true, &tls.ConnectionState{}, access.Pull, false},
		"who speaks plain HTTP":              {true, nil, access.Pull, false},
		"a certificate where it is no right": {false, shown, access.Pull, false},
	} {
		t.Run(name, func(t *testing.T) {
			p := policy(access.AnonymousNone)
			p.Nodes = tc.nodes
			r := httptest.NewRequest(http.MethodGet, "/v2/a/manifests/b", nil)
			r.TLS = tc.state
			if err := p.Check(http.Header{}, r, "a", tc.action); (err == nil) != tc.may {
				t.Errorf("got %v, want that it may be done: %v", err, tc.may)
			}
		})
	}
}

func TestWhoMayMount(t *testing.T) {
	users, pull := policy(access.AnonymousNone), policy(access.AnonymousPull)
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.SetBasicAuth("alice", "secret")
	basic := r.Header.Get("Authorization")
	r.SetBasicAuth("alice", "wrong")
	tests := map[string]struct {
		policy        access.Policy
		authorization string
		may           bool
	}{
		"anyone where anyone pulls":        {pull, "", true},
		"anyone where nobody does":         {users, "", false},
		"nobody where there are no users":  {access.Policy{}, "Bearer x", false},
		"a user":                           {users, basic, true},
		"a wrong password":                 {users, r.Header.Get("Authorization"), false},
		"a user's token of something else": {users, "Bearer " + token(t, users, "repository:a:push", "alice", "secret"), true},
		"anyone's token of something else": {users, "Bearer " + token(t, users, "repository:a:push"), false},
		"a token that is forged":           {users, "Bearer x.y", false},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodPost, "/v2/a/blobs/uploads/", nil)
			if tc.authorization != "" {
				r.Header.Set("Authorization", tc.authorization)
			}
			if got := tc.policy.MayMount(r, "team/app"); got != tc.may {
				t.Errorf("got %v, want %v", got, tc.may)
			}
		})
	}
}

func TestATokenIsMadeForUsersAlone(t *testing.T) {
	p := policy(access.AnonymousPull)
	if token(t, p, "repository:a:pull", "alice", "wrong") != "" {
		t.Error("a wrong password gets a token")
	}
	if token(t, access.Policy{Anonymous: access.AnonymousPull}, "repository:a:pull") != "" {
		t.Error("there are tokens where there are no users")
	}
	for name, tc := range map[string]struct {
		scope string
		may   bool
	}{
		"several at once":        {"repository:x:pull%20repository:team/app:pull,push&scope=repository:y:pull", true},
		"everything":             {"repository:team/app:*", true},
		"what is no name":        {"repository:../app:push", false},
		"of another type":        {"registry:catalog:*", false},
		"an action of no kind":   {"repository:team/app:sing", false},
		"without an action":      {"repository:team/app", false},
		"a name with a colon":    {"repository:team/app:x:push", false},
		"nothing":                {"", false},
		"more than fit in a one": {strings.Repeat("repository:a:pull%20", 100), false},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodGet, "/v2/", nil)
			r.Header.Set("Authorization", "Bearer "+token(t, p, tc.scope, "alice", "secret"))
			if err := p.Check(http.Header{}, r, "team/app", access.Push); (err == nil) != tc.may {
				t.Errorf("got %v, want that it may be done: %v", err, tc.may)
			}
		})
	}
}

func TestTheWayToATokenIsOverTLSForWhoCameOverTLS(t *testing.T) {
	r := httptest.NewRequest(http.MethodGet, "https://registry.example/v2/", nil)
	r.Header.Set("X-Forwarded-Proto", "http")
	r.Header.Set("Forwarded", "proto=http")
	h := http.Header{}
	_ = policy(access.AnonymousNone).Check(h, r, "", access.Pull)
	if got, want := h.Get("WWW-Authenticate"), `Bearer realm="https://registry.example/auth/token",service="registryhub"`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestTheWayToATokenIsWhereTheClientCameFrom(t *testing.T) {
	tests := map[string]struct {
		headers []string
		want    string
	}{
		"straight":                          {nil, "http://registry.example:5000/auth/token"},
		"behind what ends TLS":              {[]string{"X-Forwarded-Proto", "https"}, "https://registry.example:5000/auth/token"},
		"behind what has another name":      {[]string{"X-Forwarded-Proto", "https, http", "X-Forwarded-Host", "pub.example, inner"}, "https://pub.example/auth/token"},
		"behind what speaks RFC 7239":       {[]string{"Forwarded", `for=10.0.0.1;host="pub.example:444";proto=https, for=x`}, "https://pub.example:444/auth/token"},
		"behind what names no proper host":  {[]string{"X-Forwarded-Host", "a@b/c"}, "http://registry.example:5000/auth/token"},
		"behind what names an unknown mode": {[]string{"X-Forwarded-Proto", "gopher"}, "http://registry.example:5000/auth/token"},
		"behind what quotes everything":     {[]string{"Forwarded", `For="[2001:db8::1]:4711";Proto="https";Host="pub.example"`}, "https://pub.example/auth/token"},
		"behind one that says less":         {[]string{"Forwarded", "for=10.0.0.1", "X-Forwarded-Proto", "https"}, "https://registry.example:5000/auth/token"},
		"where only the second one tells":   {[]string{"Forwarded", "for=10.0.0.1, for=10.0.0.2;host=inner;proto=https"}, "http://registry.example:5000/auth/token"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodGet, "http://registry.example:5000/v2/a/manifests/b", nil)
			for i := 0; i+1 < len(tc.headers); i += 2 {
				r.Header.Set(tc.headers[i], tc.headers[i+1])
			}
			h := http.Header{}
			_ = policy(access.AnonymousNone).Check(h, r, "a", access.Push)
			want := `Bearer realm="` + tc.want + `",service="registryhub",scope="repository:a:pull,push"`
			if got := h.Get("WWW-Authenticate"); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
			if got := h.Get("Cache-Control"); got != "no-store" {
				t.Errorf("caches may give it to others: Cache-Control is %q", got)
			}
		})
	}
}

func hashOf(t *testing.T, password string) string {
	t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	return string(hash)
}

func write(t *testing.T, file, content string) {
	t.Helper()
	next := file + ".next"
	if err := errors.Join(os.WriteFile(next, []byte(content), 0o600), os.Rename(next, file)); err != nil {
		t.Fatal(err)
	}
}

func wantVerified(t *testing.T, h *access.Htpasswd, user, password string, want bool) {
	t.Helper()
	for range 2 { // what is remembered is right as well
		if got, err := h.Verify(t.Context(), user, password); err != nil || got != want {
			t.Errorf("%s with %s: got %v and error %v, want %v", user, password, got, err, want)
		}
	}
}

func TestUsersAreThoseOfTheFileAsItIsNow(t *testing.T) {
	file := filepath.Join(t.TempDir(), "users")
	write(t, file, "# comment\n\nalice:"+hashOf(t, "one")+"\nbob:"+hashOf(t, "two")+"\r\n")
	h, err := access.NewHtpasswd(file)
	if err != nil {
		t.Fatal(err)
	}
	wantVerified(t, h, "alice", "one", true)
	wantVerified(t, h, "bob", "two", true)
	wantVerified(t, h, "alice", "two", false)
	wantVerified(t, h, "carol", "one", false)
	write(t, file, "alice:"+hashOf(t, "three")+"\n")
	wantVerified(t, h, "alice", "one", false)
	wantVerified(t, h, "alice", "three", true)
	wantVerified(t, h, "bob", "two", false)
	write(t, file, "alice:cleartext\n")
	if known, err := h.Verify(t.Context(), "alice", "three"); known || err == nil || strings.Contains(err.Error(), "cleartext") {
		t.Errorf("with a file that is broken: got %v and error %v", known, err)
	}
	write(t, file, "alice:"+hashOf(t, "four")+"\n")
	wantVerified(t, h, "alice", "four", true)
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if known, err := h.Verify(t.Context(), "alice", "four"); known || err == nil {
		t.Errorf("without the file: got %v and error %v", known, err)
	}
}

func FuzzCheckToken(f *testing.F) {
	p := policy(access.AnonymousNone)
	for _, seed := range []string{"", ".", "e30.x", "eyJleHAiOjk5OTk5OTk5OTk5OX0.AAAA"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r := httptest.NewRequest(http.MethodGet, "/v2/", nil)
		r.Header["Authorization"] = []string{"Bearer " + text}
		if err := p.Check(http.Header{}, r, "a", access.Pull); err == nil {
			t.Errorf("%q is a token", text)
		}
	})
}
