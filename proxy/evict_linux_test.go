package proxy_test

import (
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/sys/unix"

	"github.com/registryhub/registryhub/proxy/store/storetest"
)

// layerSize is more than the buffers between a server and a client that does not read.
const layerSize = 6 << 20

// shop is an origin with images 0, 1, ... of one layer each, and a proxy of it on a small disk.
type shop struct {
	*running
	dir       string
	origin    string // its URL
	transport *http.Transport
	layers    []v1.Hash
	objects   [][]v1.Hash
}

func openShop(t *testing.T, dir string, images int) *shop {
	t.Helper()
	return openShopWith(t, dir, images, func(upstream string) *running { return run(t, upstream, dir) })
}

// openShopWith is openShop with the proxy that is made for the origin's URL.
func openShopWith(t *testing.T, dir string, images int, begin func(upstream string) *running) *shop {
	t.Helper()
	s := &shop{dir: dir, transport: &http.Transport{}}
	t.Cleanup(s.transport.CloseIdleConnections)
	o := newOrigin(t)
	for i := range images {
		content := make([]byte, layerSize)
		_, _ = rand.Read(content) // never fails
		img, err := mutate.AppendLayers(empty.Image, static.NewLayer(content, types.OCILayer))
		must(t, err)
		ref, err := name.ParseReference(fmt.Sprintf("%s/library/app:%d", strings.TrimPrefix(o.URL, "http://"), i))
		must(t, err)
		must(t, remote.Write(ref, img, remote.WithTransport(s.transport)))
		manifest, err := img.Manifest()
		must(t, err)
		self, err := img.Digest()
		must(t, err)
		s.layers = append(s.layers, manifest.Layers[0].Digest)
		s.objects = append(s.objects, []v1.Hash{self, manifest.Config.Digest, manifest.Layers[0].Digest})
	}
	s.origin = o.URL
	s.running = begin(o.URL)
	t.Cleanup(func() {
		s.transport.CloseIdleConnections()
		s.stop()
		must(t, <-s.ended)
	})
	return s
}

// pull pulls an image and looks at every byte of it.
func (s *shop) pull(t *testing.T, i int) {
	t.Helper()
	ref, err := name.ParseReference(fmt.Sprintf("%s/library/app:%d", s.RegistryAddr(), i))
	must(t, err)
	img, err := remote.Image(ref, remote.WithTransport(s.transport))
	must(t, err)
	_, err = img.RawConfigFile()
	must(t, err)
	layers, err := img.Layers()
	must(t, err)
	layer, err := layers[0].Compressed() // fails at its end when it is not what the manifest names
	must(t, err)
	_, err = io.Copy(io.Discard, layer)
	must(t, err)
	must(t, layer.Close())
}

func (s *shop) path(h v1.Hash) string {
	return filepath.Join(s.dir, "blobs", h.Algorithm, h.Hex[:2], h.Hex)
}

func (s *shop) has(h v1.Hash) bool {
	_, err := os.Stat(s.path(h))
	return err == nil
}

// keep pulls an image and waits until all of it is on the disk.
func (s *shop) keep(t *testing.T, i int) {
	t.Helper()
	s.pull(t, i)
	for _, object := range s.objects[i] {
		eventually(t, fmt.Sprintf("image %d is kept", i), func() bool { return s.has(object) })
	}
}

// lastUsed makes objects look as if they were last used so long ago.
func (s *shop) lastUsed(t *testing.T, ago time.Duration, objects ...v1.Hash) {
	t.Helper()
	at := time.Now().Add(-ago)
	for _, object := range objects {
		must(t, os.Chtimes(s.path(object), at, at))
	}
}

func TestMoreImagesThanFitArePulledThroughASmallDisk(t *testing.T) {
	dir, here := storetest.SmallDisk(t, "size=42m")
	if !here {
		return
	}
	s := openShop(t, dir, 9)
	for i := range 5 {
		s.keep(t, i)
		s.lastUsed(t, time.Duration(50-i)*time.Hour, s.objects[i]...)
	}
	s.pull(t, 0) // once the oldest, now used

	resp := s.readSlowly(t, s.layers[1])
	s.lastUsed(t, 100*time.Hour, s.layers[1]) // the oldest, but being read
	s.keep(t, 5)
	s.pull(t, 6) // does not fit
	eventually(t, "the least recently used that is not being read is evicted", func() bool { return !s.has(s.layers[2]) })
	for _, i := range []int{0, 1, 5} {
		if !s.has(s.layers[i]) {
			t.Errorf("the layer of image %d was evicted", i)
		}
	}
	body, err := io.ReadAll(resp.Body)
	must(t, err)
	must(t, resp.Body.Close())
	got, _, err := v1.SHA256(strings.NewReader(string(body)))
	if err != nil || got != s.layers[1] {
		t.Errorf("what was being read came out as %s, %d bytes, error %v", got, len(body), err)
	}

	for i := range s.layers {
		s.pull(t, i)
	}
	eventually(t, "an image that did not fit is kept", func() bool {
		s.pull(t, 6)
		return s.has(s.layers[6])
	})
	client := &http.Client{Transport: s.transport}
	_, figures := get(t, client, "http://"+s.DiagnosticsAddr().String()+"/metrics")
	for _, want := range []string{`registryhub_proxy_evicted_objects_total{reason="full"}`, "registryhub_proxy_store_capacity_bytes 4.4040192e+07"} {
		if !strings.Contains(figures, want) {
			t.Errorf("the metrics do not hold %q", want)
		}
	}
}

// readSlowly asks for a blob and reads nothing of it yet.
func (s *shop) readSlowly(t *testing.T, blob v1.Hash) *http.Response {
	t.Helper()
	dialer := &net.Dialer{Control: func(_, _ string, c syscall.RawConn) error {
		var failed error
		err := c.Control(func(fd uintptr) { failed = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, 64<<10) })
		if err != nil {
			return err
		}
		return failed
	}}
	transport := &http.Transport{DialContext: dialer.DialContext}
	t.Cleanup(transport.CloseIdleConnections)
	resp, err := (&http.Client{Transport: transport}).Get("http://" + s.RegistryAddr().String() + "/v2/library/app/blobs/" + blob.String())
	must(t, err)
	return resp
}
