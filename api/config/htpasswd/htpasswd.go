// Package htpasswd reads files of users as htpasswd -B makes them: a line for each, the name, a colon, and a hash of bcrypt. The
// operator looks at the Secret that holds one, and the proxy lets users in by it.
package htpasswd

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// Key of a Secret that holds such a file.
const Key = "htpasswd"

// bcrypt is a hash in its text form: version, cost from 4 to 31, and 53 characters of salt and hash.
var bcrypt = regexp.MustCompile(`^\$2[abxy]?\$(0[4-9]|[12][0-9]|3[01])\$[./A-Za-z0-9]{53}$`)

// Parse returns the hashes of all users, of whom there is one at least. Empty lines and those that begin with # do not count.
// Errors name the line, and hold nothing of what is in it but the user's name.
func Parse(content []byte) (map[string][]byte, error) {
	users := map[string][]byte{}
	lines := bufio.NewScanner(bytes.NewReader(content))
	for number := 1; lines.Scan(); number++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		user, hash, err := parseUser(line)
		if err == nil && users[user] != nil {
			err = fmt.Errorf("%q is there twice", user)
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
		users[user] = hash
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	if len(users) == 0 {
		return nil, errors.New("there is no user in it")
	}
	return users, nil
}

func parseUser(line string) (user string, hash []byte, err error) {
	user, text, found := strings.Cut(line, ":")
	switch {
	case !found || user == "":
		return "", nil, errors.New("not a user, a colon and a hash")
	case !bcrypt.MatchString(text):
		return "", nil, fmt.Errorf("the hash of %q is not one of bcrypt: make it with htpasswd -B", user)
	}
	return user, []byte(text), nil
}
