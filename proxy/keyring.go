package proxy

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"

	config "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/proxy/access"
	"github.com/registryhub/registryhub/proxy/configfile"
	"github.com/registryhub/registryhub/proxy/local/ticket"
)

// keyring are the keys that a registry signs with, as they are in a directory now. Replaced ones are taken into force while
// it runs; while they cannot be read, those of before stay.
type keyring struct {
	directory string // "" for a key of this process alone
	hub       string
	logger    logr.Logger
	inForce   atomic.Pointer[signing]
}

// signing is one state of a keyring.
type signing struct {
	secrets [][]byte
	uploads *ticket.Keys
	tokens  *access.Tokens
}

func newKeyring(directory, hub string, logger logr.Logger) (*keyring, error) {
	k := &keyring{directory: directory, hub: hub, logger: logger}
	_, err := k.renew()
	return k, err
}

// renew reads the keys, and reports whether they are others.
func (k *keyring) renew() (bool, error) {
	secrets, err := keysIn(k.directory)
	if err != nil {
		return false, err
	}
	if now := k.inForce.Load(); now != nil && slices.EqualFunc(now.secrets, secrets, bytes.Equal) {
		return false, nil
	}
	uploads, err := ticket.NewKeys(secrets...)
	if err != nil {
		return false, fmt.Errorf("local.keysDirectory: %w", err)
	}
	k.inForce.Store(&signing{secrets: secrets, uploads: uploads, tokens: access.NewTokens(secrets...)})
	return true, nil
}

// keysIn are those of every replica, or, where there is one alone, of this process.
func keysIn(directory string) ([][]byte, error) {
	if directory == "" {
		key := make([]byte, ticket.KeyLength)
		_, _ = rand.Read(key) // never fails
		return [][]byte{key}, nil
	}
	var keys [][]byte
	for _, name := range []string{config.LocalKeyCurrent, config.LocalKeyPrevious} {
		key, err := os.ReadFile(filepath.Join(directory, name))
		if errors.Is(err, fs.ErrNotExist) && name == config.LocalKeyPrevious {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("local.keysDirectory: %w", err)
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// run follows the directory until the context ends.
func (k *keyring) run(ctx context.Context) {
	if k.directory == "" {
		return
	}
	file := filepath.Join(k.directory, config.LocalKeyCurrent)
	configfile.New(configfile.Options{File: file, Logger: k.logger}).Run(ctx, func() {
		replaced, err := k.renew()
		switch {
		case err != nil:
			k.logger.Info("changed keys refused, those of before stay in force", "hub", k.hub, "error", err.Error())
		case replaced:
			k.logger.Info("keys replaced", "hub", k.hub)
		}
	})
}

// Sign implements local.Keys.
func (k *keyring) Sign(place ticket.Place, t ticket.Ticket) string {
	return k.inForce.Load().uploads.Sign(place, t)
}

// Check implements local.Keys.
func (k *keyring) Check(place ticket.Place, text string, now time.Time) (ticket.Ticket, error) {
	return k.inForce.Load().uploads.Check(place, text, now)
}

// SignToken implements access.Signer.
func (k *keyring) SignToken(payload string) []byte { return k.inForce.Load().tokens.SignToken(payload) }

// CheckToken implements access.Signer.
func (k *keyring) CheckToken(payload string, signature []byte) bool {
	return k.inForce.Load().tokens.CheckToken(payload, signature)
}
