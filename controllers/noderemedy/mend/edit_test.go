package mend

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const oldTable = `[plugins."io.containerd.grpc.v1.cri".registry]`

func TestAStringIsSetAndNothingElse(t *testing.T) {
	t.Parallel()
	cases := map[string]struct{ before, want string }{
		"in place of another": {
			"version = 2 # two\n" + oldTable + "\n      config_path = \"\" # none\n\n[grpc]\n",
			"version = 2 # two\n" + oldTable + "\n      config_path = \"/certs\" # none\n\n[grpc]\n",
		},
		"under a dotted key": {
			"[plugins.'io.containerd.grpc.v1.cri']\nregistry.config_path = '''/a'''\n",
			"[plugins.'io.containerd.grpc.v1.cri']\nregistry.config_path = \"/certs\"\n",
		},
		"below its table's header": {
			"  " + oldTable + " # here\n\n  [x]\n",
			"  " + oldTable + " # here\n  config_path = \"/certs\"\n\n  [x]\n",
		},
		"below a header without an end":      {oldTable, oldTable + "\n  config_path = \"/certs\"\n"},
		"at the end":                         {"version = 2", "version = 2\n\n" + oldTable + "\n  config_path = \"/certs\"\n"},
		"at the end, beside another table":   {oldTable[:len(oldTable)-1] + ".headers]\n", oldTable[:len(oldTable)-1] + ".headers]\n\n" + oldTable + "\n  config_path = \"/certs\"\n"},
		"in a file with nothing in it":       {"", "\n" + oldTable + "\n  config_path = \"/certs\"\n"},
		"and not in a table of another name": {"[plugins.cri.registry]\nconfig_path = ''\n", "[plugins.cri.registry]\nconfig_path = ''\n\n" + oldTable + "\n  config_path = \"/certs\"\n"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := withString([]byte(tc.before), old, "/certs")
			if diff := cmp.Diff(tc.want, string(got)); diff != "" || err != nil {
				t.Errorf("%v (-want +got):\n%s", err, diff)
			}
		})
	}
}

func TestAnImportIsAddedAndNothingElse(t *testing.T) {
	t.Parallel()
	cases := map[string]struct{ before, want string }{
		"where there is no list": {"# mine\nversion = 3\n", "imports = [\"/p/*.toml\"]\n# mine\nversion = 3\n"},
		"where there is nothing": {"", "imports = [\"/p/*.toml\"]\n"},
		"to an empty list":       {"version = 3\nimports = []\n[grpc]\n", "version = 3\nimports = [\"/p/*.toml\"]\n[grpc]\n"},
		"to a list":              {"imports = ['a.toml'] # a\n", "imports = ['a.toml', \"/p/*.toml\"] # a\n"},
		"to a list on lines":     {"imports = [\n  'a.toml',\n]\n", "imports = [\n  'a.toml',\"/p/*.toml\"]\n"},
		"and not to another":     {"[x]\nimports = []\n", "imports = [\"/p/*.toml\"]\n[x]\nimports = []\n"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := withImport([]byte(tc.before), "/p/*.toml")
			if diff := cmp.Diff(tc.want, string(got)); diff != "" || err != nil {
				t.Errorf("%v (-want +got):\n%s", err, diff)
			}
		})
	}
}

func TestWhatCannotBeEditedIsLeft(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"an inline table":    "plugins = {\"io.containerd.grpc.v1.cri\" = {registry = {}}}\n",
		"a value as a table": "[plugins]\n\"io.containerd.grpc.v1.cri\" = 3\n",
		"no TOML":            "[",
	} {
		if got, err := withString([]byte(text), old, "/certs"); err == nil {
			t.Errorf("%s: got %q", name, got)
		}
	}
	for name, text := range map[string]string{
		"a comment in the list": "imports = [ # none\n]\n",
		"no list":               "imports = 'a.toml'\n",
		"no TOML":               "imports = [",
	} {
		if got, err := withImport([]byte(text), "/p/*.toml"); err == nil {
			t.Errorf("%s: got %q", name, got)
		}
	}
	if _, err := withImport([]byte("imports = [ # none\n]\n"), "/p"); !errors.Is(err, errNoEdit) {
		t.Errorf("got %v, want errNoEdit", err)
	}
}

func FuzzEdits(f *testing.F) {
	f.Add("version = 2\nimports = []\n" + oldTable + "\nconfig_path = ''\n")
	f.Add("plugins.\"io.containerd.grpc.v1.cri\" = {}\n[[a]]\nimports = [1]\n")
	f.Fuzz(func(t *testing.T, text string) {
		set, errSet := withString([]byte(text), old, "/certs")
		imported, errImport := withImport([]byte(text), "/p/*.toml")
		if errSet == nil {
			if again, err := withString(set, old, "/certs"); err != nil || string(again) != string(set) {
				t.Errorf("setting it twice: %v, %q and then %q", err, set, again)
			}
		}
		if errImport == nil {
			if got, err := importsOf(imported); err != nil || got[len(got)-1] != "/p/*.toml" {
				t.Errorf("the imports of %q are %v (%v)", imported, got, err)
			}
		}
	})
}
