package hoststoml

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
)

const (
	markBegin    = "# Written by RegistryHub for hub "
	markRevision = ", revision "
	markEnd      = ". Changes made here are undone."
)

// mark is the first line of every file of ours. The name is quoted as Go quotes, so that no name breaks the line.
func mark(hub string, revision int64) string {
	return fmt.Sprintf("%s%s%s%d%s", markBegin, strconv.QuoteToASCII(hub), markRevision, revision, markEnd)
}

// readMark reads the first line: it is our mark only if we would have written it just so.
func readMark(data []byte) (hub string, revision int64, ours bool) {
	line, _, ended := bytes.Cut(data, []byte("\n"))
	rest, begins := strings.CutPrefix(string(line), markBegin)
	quoted, err := strconv.QuotedPrefix(rest)
	if !ended || !begins || err != nil {
		return "", 0, false
	}
	// It cannot fail: QuotedPrefix has just found that it is quoted.
	hub, _ = strconv.Unquote(quoted)
	digits := strings.TrimSuffix(strings.TrimPrefix(rest[len(quoted):], markRevision), markEnd)
	revision, err = strconv.ParseInt(digits, 10, 64)
	if err != nil || mark(hub, revision) != string(line) {
		return "", 0, false
	}
	return hub, revision, true
}
