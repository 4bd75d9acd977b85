package access

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/registryhub/registryhub/proxy/distspec"
)

func accountsOf(t *testing.T, user, password string) *Htpasswd {
	t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "users")
	if err := os.WriteFile(file, []byte(user+":"+string(hash)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	h, err := NewHtpasswd(file)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestAPasswordThatWaitsTooLongForItsTurnIsAnswered503(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := accountsOf(t, "alice", "secret")
		try := func(ctx context.Context, password string) (time.Duration, error) {
			r := httptest.NewRequestWithContext(ctx, http.MethodPut, "/v2/app/manifests/1", nil)
			r.SetBasicAuth("alice", password)
			began := time.Now()
			err := Policy{Accounts: h}.Check(http.Header{}, r, "app", Push)
			return time.Since(began), err
		}
		if _, err := try(t.Context(), "secret"); err != nil {
			t.Error(err)
		}
		for range cap(h.turns) {
			h.turns <- struct{}{}
		}
		if took, err := try(t.Context(), "secret"); err != nil || took != 0 {
			t.Errorf("one that was verified lately: got %v after %v", err, took)
		}
		took, err := try(t.Context(), "wrong")
		if e, _ := errors.AsType[*distspec.Error](err); e == nil || e.Status != http.StatusServiceUnavailable || took != verifyWithin {
			t.Errorf("got %v after %v, want 503 after %v", err, took, verifyWithin)
		}
		gone, leave := context.WithCancel(t.Context())
		leave()
		if took, err := try(gone, "wrong"); err == nil || took != 0 {
			t.Errorf("for a client that is gone: got %v after %v, want an error at once", err, took)
		}
		time.AfterFunc(verifyWithin/2, func() { <-h.turns })
		took, err = try(t.Context(), "wrong")
		if e, _ := errors.AsType[*distspec.Error](err); e == nil || e.Status != http.StatusUnauthorized || took != verifyWithin/2 {
			t.Errorf("when its turn comes: got %v after %v, want 401 after %v", err, took, verifyWithin/2)
		}
		if len(h.turns) != cap(h.turns)-1 {
			t.Error("a turn is not given back")
		}
	})
}
