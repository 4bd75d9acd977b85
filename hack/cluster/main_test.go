package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseUp(t *testing.T) {
	for sentence, tc := range map[string]struct {
		args      []string
		want      *cluster
		wantError string
	}{
		"nothing given":      {nil, &cluster{}, ""},
		"everything given":   {[]string{"--nodes", "3", "--containerd=1.6"}, &cluster{NodeCount: 3, Containerd: "1.6"}, ""},
		"too many nodes":     {[]string{"--nodes=9"}, nil, "use 1 to 8"},
		"a number too small": {[]string{"--nodes=-1"}, nil, "use 1 to 8"},
		"a stray argument":   {[]string{"node-1"}, nil, `up takes no argument "node-1"`},
	} {
		t.Run(sentence, func(t *testing.T) {
			got, err := parseUp(tc.args)
			if tc.wantError != "" {
				if err == nil || !strings.Contains(err.Error(), tc.wantError) {
					t.Errorf("error is %v, want one with %q", err, tc.wantError)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("cluster (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRunningClusterIsAcceptedUnlessAskedForAnother(t *testing.T) {
	current := &cluster{NodeCount: 2, Containerd: "1.6"}
	for sentence, tc := range map[string]struct {
		wanted cluster
		want   bool
	}{
		"nothing asked for":   {cluster{}, true},
		"the same":            {cluster{NodeCount: 2, Containerd: "1.6"}, true},
		"another containerd":  {cluster{Containerd: "2.4"}, false},
		"more nodes":          {cluster{NodeCount: 3}, false},
		"the number of nodes": {cluster{NodeCount: 2}, true},
	} {
		t.Run(sentence, func(t *testing.T) {
			if got := current.accepts(&tc.wanted); got != tc.want {
				t.Errorf("accepted is %v, want %v", got, tc.want)
			}
		})
	}
}

func TestNodeIsFoundByName(t *testing.T) {
	current := &cluster{NodeCount: 2}
	if node, err := current.node("node-2"); err != nil || node.Address != "10.89.0.12" {
		t.Errorf("node-2 is %+v, %v", node, err)
	}
	if _, err := current.node("node-3"); err == nil || !strings.Contains(err.Error(), "node-1 to node-2") {
		t.Errorf("error is %v, want one that names the nodes", err)
	}
}

func TestFilesKeepKeysFromOthers(t *testing.T) {
	folder := t.TempDir()
	content := files{"etc/pki/ca.pem": nil, "etc/pki/ca-key.pem": nil, "etc/kubelet.kubeconfig": nil, "kubeconfig": nil, "etc/hosts": nil}
	if err := content.write(folder); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]os.FileMode{
		"etc/pki/ca.pem": 0o644, "etc/pki/ca-key.pem": 0o600, "etc/kubelet.kubeconfig": 0o600, "kubeconfig": 0o600, "etc/hosts": 0o644,
	} {
		info, err := os.Stat(filepath.Join(folder, name))
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("%s is %v, %v, want mode %o", name, info, err, want)
		}
	}
}

func TestUnknownVerbIsRefused(t *testing.T) {
	err := run(t.Context(), []string{"fly"})
	if err == nil || !strings.Contains(err.Error(), `there is no verb "fly"`) {
		t.Errorf("error is %v, want one that names the verb", err)
	}
}

func TestUsageNamesEveryVerb(t *testing.T) {
	var text strings.Builder
	if err := usage(&text); err != nil {
		t.Fatal(err)
	}
	for name := range verbs() {
		if !strings.Contains(text.String(), "\n  "+name) {
			t.Errorf("usage does not name %s", name)
		}
	}
}

func TestTail(t *testing.T) {
	log := filepath.Join(t.TempDir(), "log")
	if err := os.WriteFile(log, []byte("one\ntwo\nthree\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := tail(log, 2); got != "two\nthree" {
		t.Errorf("tail is %q, want the last two lines", got)
	}
	if got := tail(log, 9); got != "one\ntwo\nthree" {
		t.Errorf("tail is %q, want all lines", got)
	}
}
