package registryhub

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"testing"
)

func TestCredentialsAreCheckedWithoutTellingThem(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		data map[string][]byte
		want string
	}{
		"none":         {nil, "does not exist"},
		"empty":        {map[string][]byte{}, "has neither .dockerconfigjson nor both username and password"},
		"half":         {map[string][]byte{"password": []byte("hunter2")}, "has neither .dockerconfigjson nor both username and password"},
		"basic":        {map[string][]byte{"username": []byte("u"), "password": []byte("hunter2")}, ""},
		"docker":       {docker(`{"auths":{"harbor.example.com/team":{"auth":"dTpw"}}}`), ""},
		"not a docker": {docker("hunter2"), `has a .dockerconfigjson that is not docker's config.json: write {"auths": {...}}`},
		"another's":    {docker(`{"auths":{"quay.io":{"auth":"dTpw"}}}`), "has a .dockerconfigjson without an entry for harbor.example.com: add one under auths"},
		"malformed": {
			docker(`{"auths":{"harbor.example.com":{"auth":"hunter2"}}}`),
			`has a .dockerconfigjson that has a malformed entry "harbor.example.com": auth is base64 of user:password`,
		},
		"a helper's": {
			docker(`{"credsStore":"desktop"}`),
			`has a .dockerconfigjson that leaves the credentials for harbor.example.com to the helper "desktop", which the proxy cannot run: add an entry under auths`,
		},
	}
	for name, tc := range cases {
		if got := lacksCredentials("https://Harbor.example.com/team/mirror")(tc.data); got != tc.want {
			t.Errorf("%s: %q, want %q", name, got, tc.want)
		}
	}
}

func docker(config string) map[string][]byte {
	return map[string][]byte{".dockerconfigjson": []byte(config)}
}

func TestClientCertificatesAreCheckedWithoutTellingThem(t *testing.T) {
	t.Parallel()
	certificate, key := keyPair(t)
	_, other := keyPair(t)
	const mismatch = "has no PEM certificate in key tls.crt with its private key in key tls.key"
	cases := map[string]struct {
		data map[string][]byte
		want string
	}{
		"none":          {nil, "does not exist"},
		"empty":         {map[string][]byte{}, "has no key tls.crt"},
		"half":          {map[string][]byte{"tls.crt": certificate}, "has no key tls.key"},
		"a pair":        {map[string][]byte{"tls.crt": certificate, "tls.key": key}, ""},
		"another's key": {map[string][]byte{"tls.crt": certificate, "tls.key": other}, mismatch},
		"no PEM":        {map[string][]byte{"tls.crt": []byte("hunter2"), "tls.key": []byte("hunter2")}, mismatch},
	}
	for name, tc := range cases {
		if got := lacksKeyPair(tc.data); got != tc.want {
			t.Errorf("%s: %q, want %q", name, got, tc.want)
		}
	}
}

// keyPair is a certificate that signed itself, with its key, in PEM.
func keyPair(t *testing.T) (certificate, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: encoded})
}
