package kube

import (
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"time"
)

// maxToken is the most bytes of a token that is looked at. One of a ServiceAccount has about 1000.
const maxToken = 16 << 10

// claims are what a token says of itself (RFC 7519, section 4.1), which nobody has verified: enough to tell what need not be
// asked about.
type claims struct {
	Audience audiences `json:"aud"`
	Expires  seconds   `json:"exp"`
}

// readClaims reports whether a text has the form of a signed JSON Web Token (RFC 7515, section 7.1), and what it says.
func readClaims(token string) (claims, bool) {
	parts := strings.Split(token, ".")
	if len(token) > maxToken || len(parts) != 3 || parts[2] == "" {
		return claims{}, false
	}
	var header struct {
		Algorithm string `json:"alg"`
	}
	var c claims
	if !decode(parts[0], &header) || header.Algorithm == "" || !decode(parts[1], &c) {
		return claims{}, false
	}
	return c, true
}

func decode(part string, into any) bool {
	content, err := base64.RawURLEncoding.DecodeString(part)
	return err == nil && json.Unmarshal(content, into) == nil
}

func (c claims) isFor(audience string) bool { return slices.Contains(c.Audience, audience) }

// audiences are a list, or the one that there is.
type audiences []string

// UnmarshalJSON implements json.Unmarshaler.
func (a *audiences) UnmarshalJSON(content []byte) error {
	var one string
	if json.Unmarshal(content, &one) == nil {
		*a = audiences{one}
		return nil
	}
	return json.Unmarshal(content, (*[]string)(a))
}

// seconds are a NumericDate, since 1970, which may have a fraction.
type seconds float64

// time is the zero one for what no clock shows.
func (s seconds) time() time.Time {
	if s <= 0 || s > 1<<40 {
		return time.Time{}
	}
	return time.Unix(int64(s), 0)
}
