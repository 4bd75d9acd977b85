package v1alpha1_test

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	config "github.com/registryhub/registryhub/api/config/v1alpha1"
)

func TestWhatNeedsARestartHasAnotherHash(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		change func(*config.ProxyConfiguration)
		want   string
	}{
		"nothing":                 {func(*config.ProxyConfiguration) {}, ""},
		"a default that is spelt": {func(c *config.ProxyConfiguration) { c.Listen.Registry = ":5000" }, ""},
		"the hub's name":          {func(c *config.ProxyConfiguration) { c.Hub = "other" }, "hub: restart needed"},
		"the registry's address":  {func(c *config.ProxyConfiguration) { c.Listen.Registry = ":1" }, "listen.registry: restart needed"},
		"that of diagnostics":     {func(c *config.ProxyConfiguration) { c.Listen.Diagnostics = ":1" }, "listen.diagnostics: restart needed"},
		"that it is served over TLS": {func(c *config.ProxyConfiguration) {
			c.Listen.TLS = &config.ListenTLS{CertificateDirectory: "/tls"}
		}, ""},
		"who may be a client": {func(c *config.ProxyConfiguration) {
			c.Listen.TLS = &config.ListenTLS{ClientCAFile: "/ca.pem"}
		}, ""},
		"the store's directory": {func(c *config.ProxyConfiguration) { c.Store.Directory = "/else" }, "store.directory: restart needed"},
		"the bucket": {func(c *config.ProxyConfiguration) {
			c.Store.S3 = &config.S3StoreConfiguration{Bucket: "cache"}
		}, "store.s3.bucket: restart needed"},
		"how the store is scrubbed": {func(c *config.ProxyConfiguration) { c.Store.Scrub.Every = &metav1.Duration{Duration: 2 * time.Hour} }, ""},
		"when it is evicted from":   {func(c *config.ProxyConfiguration) { c.Store.Eviction.HighWatermarkPercent = new(int32(95)) }, ""},
		"the hosts": {func(c *config.ProxyConfiguration) {
			c.Mirror.Hosts = append(c.Mirror.Hosts, config.MirrorHost{Host: "b.example"})
		}, ""},
		"how fresh tags are": {func(c *config.ProxyConfiguration) { c.Mirror.Tags.RevalidateAfter = &metav1.Duration{Duration: 1} }, ""},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			now, next := startedWith(), startedWith()
			tc.change(next)
			if same := config.RestartHash(now) == config.RestartHash(next); same != (tc.want == "") {
				t.Errorf("the hash stays: %v, want %v", same, tc.want == "")
			}
			now.Default()
			next.Default()
			switch err := config.NeedsRestart(now, next); {
			case tc.want == "" && err != nil:
				t.Errorf("got %v, want that it can be reloaded", err)
			case tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)):
				t.Errorf("got %v, want %q", err, tc.want)
			}
		})
	}
}

func startedWith() *config.ProxyConfiguration {
	return &config.ProxyConfiguration{
		Hub: "test", Store: config.StoreConfiguration{Directory: "/cache"},
		Mirror: &config.MirrorConfiguration{Hosts: []config.MirrorHost{{Host: "a.example"}}},
	}
}
