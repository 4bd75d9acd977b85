package main

import (
	"regexp"
	"testing"
)

func TestABootHasAnIDOfItsOwn(t *testing.T) {
	t.Parallel()
	uuid := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\n$`)
	first, second := string(newBootID()), string(newBootID())
	if !uuid.MatchString(first) || !uuid.MatchString(second) || first == second {
		t.Errorf("got %q and %q, want two random UUIDs", first, second)
	}
}
