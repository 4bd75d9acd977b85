package proxy_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/registryhub/registryhub/proxy/store/storetest"
)

func TestLayerThatIsTooLargeForTheVolumeStreamsThrough(t *testing.T) {
	dir, here := storetest.SmallDisk(t, "size=6m") // which a layer takes all of
	if !here {
		return
	}
	s := openShop(t, dir, 1)
	client := &http.Client{Transport: s.transport}
	eventually(t, "the volume is measured", func() bool {
		_, figures := get(t, client, "http://"+s.DiagnosticsAddr().String()+"/metrics")
		return strings.Contains(figures, "registryhub_proxy_store_capacity_bytes 6.291456e+06\n")
	})
	s.pull(t, 0)
	s.pull(t, 0)
	_, figures := get(t, client, "http://"+s.DiagnosticsAddr().String()+"/metrics")
	if want := `registryhub_proxy_lookups_total{kind="blob",result="uncached"} 2` + "\n"; s.has(s.layers[0]) || !strings.Contains(figures, want) {
		t.Error("a layer as large as the volume is kept")
	}
	for _, small := range s.objects[0][:2] {
		eventually(t, "what is small is kept", func() bool { return s.has(small) })
	}
}
