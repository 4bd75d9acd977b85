package proxy

import (
	"testing"

	config "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/proxy/store"
	"github.com/registryhub/registryhub/proxy/store/described"
	"github.com/registryhub/registryhub/proxy/store/fsstore"
)

func TestWhatIsInABucketIsRemembered(t *testing.T) {
	registry, err := fsstore.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	bucket := config.StoreConfiguration{S3: &config.S3StoreConfiguration{}}
	for name, tc := range map[string]struct {
		cfg     config.StoreConfiguration
		content store.Store
		want    bool
	}{
		"a bucket":                      {bucket, registry, true},
		"a directory":                   {config.StoreConfiguration{}, registry, false},
		"a bucket that is only read of": {bucket, struct{ store.Store }{registry}, false},
	} {
		t.Run(name, func(t *testing.T) {
			if _, got := remembered(tc.cfg, tc.content).(*described.Store); got != tc.want {
				t.Errorf("got that it is remembered: %v, want %v", got, tc.want)
			}
		})
	}
}
