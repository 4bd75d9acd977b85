package pki

import (
	"crypto/x509"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var (
	start  = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	tested = Settings{Lifetime: 1000 * time.Hour, Overlap: time.Hour}
)

const leafLifetime = 90 * time.Hour

func authority(t *testing.T, now time.Time) KeyPair {
	t.Helper()
	pair, err := newAuthority(now, tested.Lifetime)
	if err != nil {
		t.Fatal(err)
	}
	return pair
}

func hubProfile() Profile {
	return Server("hub-x", []string{"hub-x.ns.svc"}, []netip.Addr{netip.MustParseAddr("10.96.0.7"), netip.MustParseAddr("fd00::7")})
}

// held is a Secret that trusts the authorities' bundle and has a leaf of who signs among them.
func held(t *testing.T, a Authorities, changed time.Time) Holder {
	t.Helper()
	leaf, err := a.Issue(hubProfile(), changed, leafLifetime)
	if err != nil {
		t.Fatal(err)
	}
	return Holder{Certificate: EncodeCertificate(leaf.Certificate), Bundle: a.Bundle(), Changed: changed}
}

func TestNextStep(t *testing.T) {
	t.Parallel()
	one, two := authority(t, start), authority(t, start.Add(700*time.Hour))
	keyless := KeyPair{Certificate: one.Certificate}
	steady := Authorities{Current: one}
	prepared := Authorities{Current: one, Next: two}
	switched := Authorities{Current: two, Previous: []*x509.Certificate{one.Certificate}}
	made := start.Add(700 * time.Hour)
	cases := map[string]struct {
		authorities Authorities
		observed    Observed
		at          time.Time
		want        Step
	}{
		"nothing there":                                {Authorities{}, Observed{}, start, Create},
		"young":                                        {steady, Observed{}, start.Add(666 * time.Hour), Keep},
		"two thirds of its life over":                  {steady, Observed{}, start.Add(667 * time.Hour), Prepare},
		"somebody asks":                                {steady, Observed{RotateBefore: start.Add(time.Hour)}, start.Add(time.Hour), Prepare},
		"somebody asks for a time to come":             {steady, Observed{RotateBefore: start.Add(time.Hour)}, start, Keep},
		"somebody asked and it is done":                {switched, Observed{RotateBefore: start.Add(time.Hour), Holders: []Holder{{}}}, made, Keep},
		"its key lost":                                 {Authorities{Current: keyless}, Observed{}, start, Prepare},
		"expired":                                      {steady, Observed{}, start.Add(1000 * time.Hour), Create},
		"expired, and the next one at hand":            {prepared, Observed{}, start.Add(1000 * time.Hour), Switch},
		"gone, and the next one at hand":               {Authorities{Next: two}, Observed{}, made, Switch},
		"just prepared":                                {prepared, Observed{NodesTrust: true}, made.Add(59 * time.Minute), Keep},
		"prepared and trusted":                         {prepared, Observed{NodesTrust: true, Holders: []Holder{held(t, prepared, made)}}, made.Add(time.Hour), Switch},
		"a node does not trust it yet":                 {prepared, Observed{}, made.Add(time.Hour), Keep},
		"a hub does not trust it yet":                  {prepared, Observed{NodesTrust: true, Holders: []Holder{held(t, steady, made)}}, made.Add(2 * time.Hour), Keep},
		"a hub's Pod may not trust it yet":             {prepared, Observed{NodesTrust: true, Holders: []Holder{held(t, prepared, made.Add(time.Minute))}}, made.Add(time.Hour), Keep},
		"a node is waited for no longer":               {prepared, Observed{}, made.Add(Patience), Switch},
		"a node is waited for less in an emergency":    {Authorities{Current: keyless, Next: authority(t, start.Add(990*time.Hour))}, Observed{}, start.Add(995 * time.Hour), Switch},
		"all leaves of the current one":                {switched, Observed{Holders: []Holder{held(t, switched, made)}}, made.Add(time.Hour), Drop},
		"a leaf of the current one not in use yet":     {switched, Observed{Holders: []Holder{held(t, switched, made)}}, made.Add(59 * time.Minute), Keep},
		"a leaf of the previous one":                   {switched, Observed{Holders: []Holder{held(t, steady, made)}}, made.Add(2 * time.Hour), Keep},
		"a leaf that cannot be read":                   {switched, Observed{Holders: []Holder{{Certificate: []byte("?")}}}, made.Add(2 * time.Hour), Keep},
		"the previous one expired":                     {switched, Observed{Holders: []Holder{held(t, steady, made)}}, start.Add(1000 * time.Hour), Drop},
		"due again before the previous one is dropped": {switched, Observed{Holders: []Holder{held(t, steady, made)}, RotateBefore: made.Add(time.Hour)}, made.Add(time.Hour), Prepare},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got, reason := tc.authorities.NextStep(tc.observed, tested, tc.at); got != tc.want {
				t.Errorf("%s (%s), want %s", got, reason, tc.want)
			}
		})
	}
}

func TestAStepIsSafeToStopAfter(t *testing.T) {
	t.Parallel()
	a := Authorities{}
	now := start
	for _, step := range []Step{Create, Prepare, Switch, Drop, Keep} {
		var err error
		if a, err = a.After(step, tested, now); err != nil {
			t.Fatal(err)
		}
		data, err := a.Data()
		if err != nil {
			t.Fatal(err)
		}
		back, lost := ReadAuthorities(data, a.Bundle())
		if lost != nil || !back.same(a) {
			t.Errorf("after %s: reads back otherwise, lost %v", step, lost)
		}
		now = now.Add(time.Minute)
	}
}

// same compares what is kept, keys included.
func (a Authorities) same(b Authorities) bool {
	x, errX := a.Data()
	y, errY := b.Data()
	return errX == nil && errY == nil && cmp.Equal(x, y)
}

func TestReadingWhatSomebodyDestroyed(t *testing.T) {
	t.Parallel()
	one, two := authority(t, start), authority(t, start.Add(time.Hour))
	prepared := Authorities{Current: one, Next: two}
	data, err := prepared.Data()
	if err != nil {
		t.Fatal(err)
	}
	with := func(change map[string]string) map[string][]byte {
		changed := map[string][]byte{}
		for key, value := range data {
			changed[key] = value
		}
		for key, value := range change {
			changed[key] = []byte(value)
		}
		return changed
	}
	leaf, err := prepared.Issue(hubProfile(), start, leafLifetime)
	if err != nil {
		t.Fatal(err)
	}
	leafKey, err := EncodeKey(leaf)
	if err != nil {
		t.Fatal(err)
	}
	cases := map[string]struct {
		data      map[string][]byte
		published []byte
		wantLost  Lost
		// want: which pairs have a key.
		wantCurrent, wantNext bool
	}{
		"nothing":                       {data, prepared.Bundle(), nil, true, true},
		"the Secret":                    {nil, prepared.Bundle(), nil, false, false},
		"the current certificate":       {with(map[string]string{"current.crt": "?"}), prepared.Bundle(), Lost{"current.crt"}, false, true},
		"the current key":               {with(map[string]string{"current.key": ""}), prepared.Bundle(), nil, false, true},
		"the next key":                  {with(map[string]string{"next.key": "?"}), prepared.Bundle(), Lost{"next.crt"}, true, false},
		"the keys exchanged":            {with(map[string]string{"current.key": string(data["next.key"])}), prepared.Bundle(), Lost{"current.crt"}, false, true},
		"the previous ones":             {with(map[string]string{"previous.crt": "?"}), prepared.Bundle(), Lost{"previous.crt"}, true, true},
		"the published bundle":          {data, []byte("?"), Lost{"the published bundle"}, true, true},
		"a leaf where an authority was": {with(map[string]string{"current.crt": string(EncodeCertificate(leaf.Certificate)), "current.key": string(leafKey)}), prepared.Bundle(), Lost{"current.crt"}, false, true},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, lost := ReadAuthorities(tc.data, tc.published)
			if diff := cmp.Diff(tc.wantLost, lost); diff != "" {
				t.Errorf("lost (-want +got):\n%s", diff)
			}
			if current, next := got.Current.Key != nil, got.Next.Key != nil; current != tc.wantCurrent || next != tc.wantNext {
				t.Errorf("keys of the current and the next: %v %v, want %v %v", current, next, tc.wantCurrent, tc.wantNext)
			}
			if diff := cmp.Diff(string(prepared.Bundle()), string(got.Bundle())); diff != "" {
				t.Errorf("what is trusted (-want +got):\n%s", diff)
			}
			if _, reason := got.WhyIssue(EncodeCertificate(leaf.Certificate), leafKey, hubProfile(), start); reason != "" {
				t.Errorf("a leaf in use is made anew: %s", reason)
			}
		})
	}
}
