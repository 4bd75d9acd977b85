package htpasswd_test

import (
	"strings"
	"testing"

	"github.com/registryhub/registryhub/api/config/htpasswd"
)

// hash is of the form of bcrypt's.
var hash = "$2y$10$" + strings.Repeat("a./Z9", 10) + "abc"

func TestUsersAreRead(t *testing.T) {
	users, err := htpasswd.Parse([]byte("# comment\n\nalice:" + hash + "\n bob:" + hash + "\r\n"))
	if err != nil || len(users) != 2 || string(users["alice"]) != hash || string(users["bob"]) != hash {
		t.Errorf("got %q and error %v", users, err)
	}
}

func TestAFileOfUsersIsRefusedWithItsLine(t *testing.T) {
	good := "alice:" + hash + "\n"
	for name, tc := range map[string]struct{ content, want string }{
		"nothing":                {"", "no user"},
		"no hash":                {good + "bob\n", "line 2"},
		"a hash of MD5":          {"bob:$apr1$x$y\n", `line 1: the hash of "bob"`},
		"a cost out of bounds":   {"bob:" + strings.Replace(hash, "10", "32", 1) + "\n", `line 1: the hash of "bob"`},
		"a password as it is":    {good + "bob:password\n", "line 2"},
		"no user before a colon": {":x\n", "line 1"},
		"a user twice":           {good + "alice:" + strings.Replace(hash, "10", "12", 1) + "\n", `line 2: "alice" is there twice`},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := htpasswd.Parse([]byte(tc.content)); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"", "a:$2y$04$", "a:b\nc:d", "#\n", "alice:" + hash} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		users, err := htpasswd.Parse(content)
		if (err == nil) != (len(users) > 0) {
			t.Errorf("got %d users and error %v", len(users), err)
		}
	})
}
