package ticket_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/registryhub/registryhub/proxy/local/ticket"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	now    = time.Unix(1_800_000_000, 0)
	place  = ticket.Place{Hub: "internal", Repository: "team/app"}
	issued = ticket.Ticket{Session: [16]byte{1, 2, 3}, Offset: 1 << 40, Expires: now.Add(time.Hour)}
)

func keys(tb testing.TB, names ...string) *ticket.Keys {
	tb.Helper()
	var list [][]byte
	for _, name := range names {
		list = append(list, bytes.Repeat([]byte(name), ticket.KeyLength))
	}
	k, err := ticket.NewKeys(list...)
	if err != nil {
		tb.Fatal(err)
	}
	return k
}

func TestATicketIsReadAsItWasSigned(t *testing.T) {
	text := keys(t, "a").Sign(place, issued)
	got, err := keys(t, "b", "a").Check(place, text, now) // a was replaced by b meanwhile
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(issued, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if strings.Trim(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-") != "" || len(text) > 160 {
		t.Errorf("%q does not fit into a path", text)
	}
}

func TestATicketIsGoodForNothingElse(t *testing.T) {
	text := keys(t, "a").Sign(place, issued)
	flipped := []byte(text)
	flipped[30] ^= 1
	tests := map[string]struct {
		keys  *ticket.Keys
		place ticket.Place
		text  string
		now   time.Time
	}{
		"another hub":                     {keys(t, "a"), ticket.Place{Hub: "other", Repository: "team/app"}, text, now},
		"another repository":              {keys(t, "a"), ticket.Place{Hub: "internal", Repository: "team/other"}, text, now},
		"the border between both moved":   {keys(t, "a"), ticket.Place{Hub: "internalt", Repository: "eam/app"}, text, now},
		"another key":                     {keys(t, "b"), place, text, now},
		"when it has expired":             {keys(t, "a"), place, text, now.Add(time.Hour)},
		"what was forged":                 {keys(t, "a"), place, string(flipped), now},
		"what was cut":                    {keys(t, "a"), place, text[:len(text)-4], now},
		"what was made longer":            {keys(t, "a"), place, text + "AAAA", now},
		"nothing":                         {keys(t, "a"), place, "", now},
		"what is no base64":               {keys(t, "a"), place, strings.Repeat("!", len(text)), now},
		"base64 with the end of a line":   {keys(t, "a"), place, text[:17] + "\r\n" + text[17:], now},
		"base64 with bits that count not": {keys(t, "a"), place, text[:len(text)-1] + string(text[len(text)-1]+1), now},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			if got, err := tc.keys.Check(tc.place, tc.text, tc.now); !errors.Is(err, ticket.ErrInvalid) {
				t.Errorf("got %+v and error %v, want ErrInvalid", got, err)
			}
		})
	}
}

func TestKeysAreRefusedThatCanBeGuessed(t *testing.T) {
	for name, list := range map[string][][]byte{"none": nil, "one that is short": {make([]byte, ticket.KeyLength), make([]byte, ticket.KeyLength-1)}} {
		t.Run(name, func(t *testing.T) {
			if _, err := ticket.NewKeys(list...); err == nil {
				t.Error("they are taken")
			}
		})
	}
}

func FuzzCheck(f *testing.F) {
	k := keys(f, "a")
	valid := k.Sign(place, issued)
	for _, seed := range []string{"", "AAAA", valid, valid[1:], valid + "\n", strings.Repeat("A", len(valid))} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := k.Check(place, text, now)
		if err == nil && (text != valid || got != issued) {
			t.Errorf("%q is taken, as %+v", text, got)
		}
	})
}
