package kube

import (
	"encoding/base64"
	"strings"
	"testing"
	"time"
)

// jwt is a token that nobody has signed.
func jwt(payload string) string {
	encode := base64.RawURLEncoding.EncodeToString
	return encode([]byte(`{"alg":"RS256","kid":"k"}`)) + "." + encode([]byte(payload)) + "." + encode([]byte("signature"))
}

func TestWhatATokenSaysOfItself(t *testing.T) {
	t.Parallel()
	good := jwt(`{"aud":["x","registryhub.io/internal"],"exp":1000}`)
	for name, tc := range map[string]struct {
		token    string
		is, ours bool
		expires  int64
	}{
		"of a ServiceAccount":      {good, true, true, 1000},
		"for one alone":            {jwt(`{"aud":"registryhub.io/internal","exp":1000.9}`), true, true, 1000},
		"for another":              {jwt(`{"aud":"registryhub.io/internal2","exp":1000}`), true, false, 1000},
		"for nobody":               {jwt(`{"exp":1000}`), true, false, 1000},
		"that never expires":       {jwt(`{"aud":"registryhub.io/internal"}`), true, true, 0},
		"that expires in no year":  {jwt(`{"aud":"registryhub.io/internal","exp":1e300}`), true, true, 0},
		"a password":               {"secret", false, false, 0},
		"a password with dots":     {"a.b.c", false, false, 0},
		"without a signature":      {good[:strings.LastIndexByte(good, '.')+1], false, false, 0},
		"with something behind it": {good + ".x", false, false, 0},
		"without an algorithm":     {strings.Replace(good, good[:strings.IndexByte(good, '.')], "e30", 1), false, false, 0},
		"of a size":                {jwt(`{"x":"` + strings.Repeat("x", maxToken) + `"}`), false, false, 0},
		"nothing":                  {"", false, false, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, is := readClaims(tc.token)
			var expires int64
			if at := c.Expires.time(); !at.IsZero() {
				expires = at.Unix()
			}
			if is != tc.is || c.isFor("registryhub.io/internal") != tc.ours || expires != tc.expires {
				t.Errorf("got %+v, a token: %v", c, is)
			}
		})
	}
}

// Whatever a token says, it is read without harm, and says nothing that it does not have the form for.
func FuzzReadClaims(f *testing.F) {
	for _, seed := range []string{"", "..", "e30.e30.e30", jwt(`{"aud":["a"],"exp":1}`), jwt(`{"aud":"a","exp":-1.5e9}`), jwt(`{"aud":{"a":1}}`), jwt(`{"aud":null,"exp":null}`)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, token string) {
		c, is := readClaims(token)
		if is && strings.Count(token, ".") != 2 || !is && (c.Audience != nil || c.Expires != 0) {
			t.Errorf("%q: got %+v, a token: %v", token, c, is)
		}
		if at := c.Expires.time(); !at.IsZero() && at.Before(time.Unix(0, 0)) {
			t.Errorf("%q expires at %v", token, at)
		}
	})
}
