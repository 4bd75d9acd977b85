package proxy_test

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/registryhub/registryhub/proxy/store"
	"github.com/registryhub/registryhub/proxy/store/fsstore"
)

func TestARunningProxyScrubs(t *testing.T) {
	dir := t.TempDir()
	files := damaged(t, dir)
	o := newOrigin(t)
	r := run(t, o.URL, dir)
	mustPutAside(t, r, files)
	r.stop()
	must(t, <-r.ended)
}

func TestAScrubBeginsWhenTheFileSaysSo(t *testing.T) {
	dir := t.TempDir()
	files := damaged(t, dir)
	good := configuration(newOrigin(t).URL, dir)
	directory := "directory: " + dir
	f := runFile(t, strings.Replace(good, directory, directory+", scrub: {every: 0s}", 1))
	f.write(t, good)
	f.await(t, "it is in force", inForce(good))
	mustPutAside(t, f.running, files)
}

// damaged puts damaged objects into a store, in the part whose turn it is, with the default of a round a week, and in the
// next, should its turn come meanwhile.
func damaged(t *testing.T, dir string) (files []string) {
	t.Helper()
	content, err := fsstore.Open(dir)
	must(t, err)
	turn := time.Now().UnixNano() / int64(168*time.Hour/store.Parts)
	for _, part := range []byte{byte(turn), byte(turn + 1)} {
		data := inPart(part)
		proof, err := store.Prove(digest.FromBytes(data), data)
		must(t, err)
		must(t, content.Put(t.Context(), proof, data))
		encoded := proof.Digest().Encoded()
		file := filepath.Join(dir, "blobs", "sha256", encoded[:2], encoded)
		kept, err := os.ReadFile(file)
		must(t, err)
		kept[0] ^= 1
		must(t, os.WriteFile(file, kept, 0o600))
		files = append(files, file)
	}
	return files
}

func mustPutAside(t *testing.T, r *running, files []string) {
	t.Helper()
	eventually(t, "one that is damaged is put aside", func() bool {
		_, first := os.Stat(files[0])
		_, second := os.Stat(files[1])
		return errors.Is(first, os.ErrNotExist) || errors.Is(second, os.ErrNotExist)
	})
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	eventually(t, "it is counted", func() bool {
		_, figures := get(t, client, "http://"+r.DiagnosticsAddr().String()+"/metrics")
		return strings.Contains(figures, `registryhub_proxy_damaged_objects_total{found="scrubbed"} 1`)
	})
}

// inPart is content whose digest begins with that byte.
func inPart(part byte) []byte {
	for i := 0; ; i++ {
		data := []byte("content " + strconv.Itoa(i))
		if strings.HasPrefix(digest.FromBytes(data).Encoded(), strconv.FormatUint(uint64(part)+0x100, 16)[1:]) {
			return data
		}
	}
}
