package main

import (
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	config "github.com/registryhub/registryhub/api/config/v1alpha1"
)

func TestProxyFlagsMakeTheConfigurationThatAFileHolds(t *testing.T) {
	want, err := config.DecodeProxyConfiguration([]byte(`
apiVersion: config.registryhub.io/v1alpha1
kind: ProxyConfiguration
hub: docker-io
listen: {registry: "127.0.0.1:5000", diagnostics: "127.0.0.1:8080"}
store: {directory: /cache}
mirror:
  hosts:
  - host: docker.io
    upstreams: [{name: docker-io, url: "https://registry-1.docker.io", dockerConfigFile: /config.json}]
  tags: {revalidateAfter: 1h0m0s}
`))
	if err != nil {
		t.Fatal(err)
	}
	got := configurationOf(t, "--host", "docker.io", "--store", "/cache", "--revalidate-after", "1h", "--docker-config", "/config.json")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("configuration (-of the file +of the flags):\n%s", diff)
	}
	named := configurationOf(t, "--host", "docker.io", "--store", "/cache", "--upstream", "http://127.0.0.1:5001/prefix")
	if url := named.Mirror.Hosts[0].Upstreams[0].URL; url != "http://127.0.0.1:5001/prefix" {
		t.Errorf("the upstream's URL: got %s", url)
	}
}

func TestProxyRefusesFlagsThatSayTooLittleOrTooMuch(t *testing.T) {
	cases := map[string]struct {
		args []string
		want string
	}{
		"nothing":             {nil, "--host"},
		"no directory":        {[]string{"--host", "docker.io"}, "--store"},
		"a file and flags":    {[]string{"--config", "x", "--host", "docker.io"}, "config"},
		"a host that is none": {[]string{"--host", "https://docker.io", "--store", "x"}, "--host"},
		"an upstream with a password": {
			[]string{"--host", "docker.io", "--store", "x", "--upstream", "https://me:secret@docker.io"}, "user information",
		},
		"a file that is missing": {[]string{"--config", "/nonexistent"}, "/nonexistent"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			root := newRootCommand()
			root.SetArgs(append([]string{"proxy"}, tc.args...))
			err := root.ExecuteContext(t.Context())
			if err == nil || !strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), "secret") {
				t.Errorf("got error %v, want one that tells of %s", err, tc.want)
			}
		})
	}
}

func configurationOf(t *testing.T, args ...string) *config.ProxyConfiguration {
	t.Helper()
	var f proxyFlags
	cmd := f.command()
	if err := cmd.ParseFlags(args); err != nil {
		t.Fatal(err)
	}
	cfg, err := f.configuration()
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func TestAHangUpReloads(t *testing.T) {
	reloaded := make(chan struct{}, 1)
	stop := onHangUp(func() { reloaded <- struct{}{} })
	defer stop()
	if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	<-reloaded
}
