package proxy_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/registryhub/registryhub/proxy/store/storetest"
)

func TestLayerThatIsTooLargeForTheVolumeStreamsThrough(t *testing.T) {
	dir, here := storetest.SmallDisk(t, "size=28m") // a fifth of it is less than a layer
	if !here {
		return
	}
	s := openShop(t, dir, 1)
	client := &http.Client{Transport: s.transport}
	eventually(t, "the volume is measured", func() bool {
		_, figures := get(t, client, "http://"+s.DiagnosticsAddr().String()+"/metrics")
		return strings.Contains(figures, "registryhub_proxy_store_capacity_bytes 2.9360128e+07\n")
	})
	s.pull(t, 0)
	s.pull(t, 0)
	_, figures := get(t, client, "http://"+s.DiagnosticsAddr().String()+"/metrics")
	if want := `registryhub_proxy_lookups_total{kind="blob",result="uncached"} 2` + "\n"; s.has(s.layers[0]) || !strings.Contains(figures, want) {
		t.Error("a layer of more than a fifth of the volume is kept")
	}
	for _, small := range s.objects[0][:2] {
		eventually(t, "what is small is kept", func() bool { return s.has(small) })
	}
}
