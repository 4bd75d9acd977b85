package proxy

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr/testr"

	config "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/proxy/local/ticket"
)

func TestReplacedKeysAreTakenIntoForceAndThoseOfBeforeAreGoodStill(t *testing.T) {
	dir := t.TempDir()
	write := func(name, letter string) {
		t.Helper()
		next := filepath.Join(dir, "next")
		if err := os.WriteFile(next, []byte(strings.Repeat(letter, ticket.KeyLength)), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(next, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	write(config.LocalKeyCurrent, "a")
	k, err := newKeyring(dir, "internal", testr.New(t))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		k.run(ctx)
	}()
	place, now := ticket.Place{Hub: "internal", Repository: "app"}, time.Now()
	good := func(text string) bool {
		_, err := k.Check(place, text, now)
		return err == nil
	}
	issued := ticket.Ticket{Expires: now.Add(time.Hour)}
	first, token := k.Sign(place, issued), k.SignToken("x")
	await := func(what string, is func() bool) {
		t.Helper()
		deadline, again := time.After(20*time.Second), time.NewTicker(10*time.Millisecond)
		defer again.Stop()
		for !is() {
			select {
			case <-again.C:
			case <-deadline:
				t.Fatalf("%s: not in force", what)
			}
		}
	}
	write(config.LocalKeyPrevious, "a")
	write(config.LocalKeyCurrent, "b")
	await("another key", func() bool { return k.Sign(place, issued) != first })
	if !good(first) || !k.CheckToken("x", token) {
		t.Error("what the key before signed is good no more")
	}
	second := k.Sign(place, issued)
	if err := os.Truncate(filepath.Join(dir, config.LocalKeyCurrent), 3); err != nil {
		t.Fatal(err)
	}
	write(config.LocalKeyPrevious, "b")
	write(config.LocalKeyCurrent, "c")
	await("a third key", func() bool { return k.Sign(place, issued) != second })
	if !good(second) || good(first) || k.CheckToken("x", token) {
		t.Error("what the key before the last signed is good still, or what the last did is not")
	}
	stop()
	<-ended
}

func TestKeysThatCannotBeReadKeepARegistryFromStarting(t *testing.T) {
	if _, err := newKeyring(filepath.Join(t.TempDir(), "none"), "internal", testr.New(t)); err == nil || !strings.Contains(err.Error(), "local.keysDirectory") {
		t.Errorf("got %v, want an error of local.keysDirectory", err)
	}
	k, err := newKeyring("", "internal", testr.New(t))
	if err != nil {
		t.Fatal(err)
	}
	k.run(t.Context()) // which has nothing to follow
}
