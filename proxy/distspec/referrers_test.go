package distspec

import "testing"

func TestParseReferrers(t *testing.T) {
	good := `{"mediaType":"a/b","digest":"sha256:` + sha256Hex + `","artifactType":"x"}`
	index := `"mediaType":"` + MediaTypeIndex + `"`
	tests := map[string]struct {
		body string
		want int // -1 is an error.
	}{
		"an index":                        {`{` + index + `,"manifests":[` + good + `]}`, 1},
		"an index of nothing":             {`{` + index + `,"manifests":[]}`, 0},
		"an index of null":                {`{` + index + `,"manifests":null}`, 0},
		"an index without its media type": {`{"manifests":[` + good + `]}`, 1},
		"descriptors that are none":       {`{"manifests":[1,null,{},{"mediaType":"a/b","digest":"x"},` + good + `]}`, 1},
		"something else with manifests":   {`{"mediaType":"application/vnd.docker.distribution.manifest.list.v2+json","manifests":[` + good + `]}`, -1},
		"no manifests and no media type":  {`{"schemaVersion":2}`, -1},
		"no JSON":                         {`<html>`, -1},
		"a list":                          {`[]`, -1},
	}
	for name, tc := range tests {
		list, err := ParseReferrers([]byte(tc.body))
		if (err != nil) != (tc.want < 0) || (err == nil && len(list) != tc.want) {
			t.Errorf("%s: got %d, %v; want %d", name, len(list), err, tc.want)
		}
		if err == nil && len(list.OfType("x")) != tc.want || len(list.OfType("y")) != 0 || len(list.OfType("")) != len(list) {
			t.Errorf("%s: of type x %d, of type y %d, of every type %d", name, len(list.OfType("x")), len(list.OfType("y")), len(list.OfType("")))
		}
	}
}
