package apply

import "testing"

func TestAnObjectHasWhatIsWantedOfIt(t *testing.T) {
	t.Parallel()
	wanted := map[string]any{"spec": map[string]any{"names": []any{"a", "b"}, "key": map[string]any{"size": int64(256)}}}
	for name, tc := range map[string]struct {
		live any
		want bool
	}{
		"the same":                    {map[string]any{"spec": map[string]any{"names": []any{"a", "b"}, "key": map[string]any{"size": int64(256)}}}, true},
		"more, at each depth":         {map[string]any{"status": "s", "spec": map[string]any{"names": []any{"a", "b"}, "key": map[string]any{"size": int64(256), "x": "y"}}}, true},
		"another value":               {map[string]any{"spec": map[string]any{"names": []any{"a", "b"}, "key": map[string]any{"size": int64(512)}}}, false},
		"another list":                {map[string]any{"spec": map[string]any{"names": []any{"a", "b", "c"}, "key": map[string]any{"size": int64(256)}}}, false},
		"a field less":                {map[string]any{"spec": map[string]any{"names": []any{"a", "b"}}}, false},
		"nothing":                     {nil, false},
		"something else in its place": {map[string]any{"spec": "s"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := has(tc.live, wanted); got != tc.want {
				t.Errorf("%v", got)
			}
		})
	}
}
