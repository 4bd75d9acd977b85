package registryhub

import "testing"

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
		"docker":       {map[string][]byte{".dockerconfigjson": []byte(`{"auths":{}}`)}, ""},
		"not a docker": {map[string][]byte{".dockerconfigjson": []byte("hunter2")}, "has a .dockerconfigjson that is not JSON"},
	}
	for name, tc := range cases {
		if got := lacksCredentials(tc.data); got != tc.want {
			t.Errorf("%s: %q, want %q", name, got, tc.want)
		}
	}
}
