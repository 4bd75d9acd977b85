package proxy

import (
	config "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/proxy/store"
	"github.com/registryhub/registryhub/proxy/store/described"
)

// remembered has what repositories have in a bucket remembered for a moment, which saves a way over the network. Of a directory
// it would save fifteen microseconds of a request (BenchmarkRequest in proxy/local), for which no replica need be told late of what
// another one has deleted.
func remembered(cfg config.StoreConfiguration, content store.Store) store.Store {
	registry, is := content.(store.Registry)
	if !is || cfg.S3 == nil {
		return content
	}
	return described.New(registry, described.Options{})
}
