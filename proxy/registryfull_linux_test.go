package proxy_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	config "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/proxy/store/storetest"
)

func TestARegistryWhoseDiskIsFullSaysSoAndServesOn(t *testing.T) {
	dir, here := storetest.SmallDisk(t, "size=60m")
	if !here {
		return
	}
	s := runLocal(t, dir, "{anonymous: Push}")
	anyone, ref, image := s.as(authn.Anonymous), s.ref(t, "team/app:v1"), randomImage(t)
	must(t, remote.Write(ref, image, anyone...))
	others := filepath.Join(dir, "others")
	must(t, os.WriteFile(others, make([]byte, 56<<20), 0o600))
	eventually(t, "it is full", func() bool { return s.storeReport(t, s.transport) == config.StoreReport{Full: true} })

	if err := remote.Write(ref, randomImage(t), anyone...); err == nil {
		t.Error("a push was taken though the disk is full")
	}
	got, err := remote.Image(ref, anyone...)
	must(t, err)
	wantSame(t, image, got)

	must(t, os.Remove(others))
	eventually(t, "there is room again", func() bool { return s.storeReport(t, s.transport) == config.StoreReport{} })
	must(t, remote.Write(ref, randomImage(t), anyone...))
}
