package registryhub

import (
	"bytes"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestKeysAreReplacedInTime(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0)
	a, b := bytes.Repeat([]byte("a"), keyLength), bytes.Repeat([]byte("b"), keyLength)
	tests := map[string]struct {
		held     map[string][]byte
		changed  time.Time
		current  []byte // nil: a new one
		previous []byte
	}{
		"the first are made":               {nil, time.Time{}, nil, nil},
		"young ones stay":                  {map[string][]byte{"current": a, "previous": b}, now.Add(-keysReplaced + time.Hour), a, b},
		"the first ones stay alone":        {map[string][]byte{"current": a}, now.Add(-time.Hour), a, nil},
		"old ones are replaced":            {map[string][]byte{"current": a, "previous": b}, now.Add(-keysReplaced), nil, a},
		"one that is short is replaced":    {map[string][]byte{"current": a[:5], "previous": b}, now, nil, b},
		"one of no known age is replaced":  {map[string][]byte{"current": a}, time.Time{}, nil, a},
		"a former one that is short goes":  {map[string][]byte{"current": a, "previous": b[:5]}, now, a, nil},
		"what somebody else put there too": {map[string][]byte{"current": a, "x": b}, now, a, nil},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			data, changed := keysAfter(tc.held, tc.changed, now)
			current := data["current"]
			switch {
			case tc.current == nil && (len(current) != keyLength || bytes.Equal(current, a) || !changed.Equal(now)):
				t.Errorf("got the key %q of %s, want a new one", current, changed)
			case tc.current != nil && (!bytes.Equal(current, tc.current) || !changed.Equal(tc.changed)):
				t.Errorf("got the key %q of %s, want %q of %s", current, changed, tc.current, tc.changed)
			}
			if diff := cmp.Diff(tc.previous, data["previous"]); diff != "" {
				t.Errorf("the key before (-want +got):\n%s", diff)
			}
			if len(data) > 2 {
				t.Errorf("got %d keys", len(data))
			}
		})
	}
}
