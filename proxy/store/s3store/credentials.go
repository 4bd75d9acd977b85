package s3store

import (
	"path/filepath"
	"strings"

	"github.com/registryhub/registryhub/proxy/secretfile"
)

// The keys of a Secret with credentials, and so its files: those that ObjectBucketClaims make, and that every client of S3
// knows as variables of its environment.
const (
	AccessKeyIDKey     = "AWS_ACCESS_KEY_ID"
	SecretAccessKeyKey = "AWS_SECRET_ACCESS_KEY" //nolint:gosec // G101: the name of a key
	SessionTokenKey    = "AWS_SESSION_TOKEN"     //nolint:gosec // G101: the name of a key
)

// Directory is Credentials that are read from a mounted Secret, anew each time.
type Directory string

// Keys implements Credentials. Errors are *secretfile.Error.
func (d Directory) Keys() (id, secret, token string, err error) {
	if id, err = d.value(AccessKeyIDKey); err != nil {
		return "", "", "", err
	}
	if secret, err = d.value(SecretAccessKeyKey); err != nil {
		return "", "", "", err
	}
	if secretfile.Exists(filepath.Join(string(d), SessionTokenKey)) {
		token, err = d.value(SessionTokenKey)
	}
	return id, secret, token, err
}

// value reads one key. The newline that an editor leaves at its end is no part of it.
func (d Directory) value(key string) (string, error) {
	file := filepath.Join(string(d), key)
	content, err := secretfile.Read(file)
	if err != nil {
		return "", err
	}
	value := strings.TrimRight(string(content), "\r\n")
	if value == "" {
		return "", &secretfile.Error{File: file, Problem: "is empty"}
	}
	return value, nil
}
