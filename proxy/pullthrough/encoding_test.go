package pullthrough_test

import (
	"bytes"
	"compress/gzip"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
)

func packed(t *testing.T, content []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := w.Write(content)
	must(t, err)
	must(t, w.Close())
	return b.Bytes()
}

// labelled says of every body that it is packed, as object stores do of layers.
func labelled(w http.ResponseWriter, r *http.Request, next http.Handler) {
	w.Header().Set("Content-Encoding", "gzip")
	next.ServeHTTP(w, r)
}

// packing is a front that packs bodies for those who take them so.
func packing(t *testing.T) fault {
	t.Helper()
	return func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if !strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
			next.ServeHTTP(w, r)
			return
		}
		plain := httptest.NewRecorder()
		next.ServeHTTP(plain, r)
		for name, values := range plain.Header() {
			w.Header()[name] = values
		}
		body := packed(t, plain.Body.Bytes())
		w.Header().Set("Content-Encoding", "gzip")
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		w.WriteHeader(plain.Code)
		_, _ = w.Write(body)
	}
}

func TestBodiesArePassedOnByteForByteHoweverTheyAreEncoded(t *testing.T) {
	fronts := map[string]fault{"as it is": nil, "labelled": labelled, "packed for who takes it so": packing(t)}
	for name, front := range fronts {
		for _, accepted := range []string{"", "identity", "zstd, gzip, deflate", "gzip;q=1, *;q=0"} {
			t.Run(name+" for "+accepted, func(t *testing.T) {
				o := newOrigin(t)
				img := o.pushImage(t, "team/app", "1", 1)
				layer := packed(t, random(100<<10))
				d := o.pushBlob(t, "team/app", layer)
				o.fail(front)
				r := start(t, setup{upstreams: []string{o.URL}})
				path := "team/app/blobs/" + d.String()
				ask := func(method, path string, status int, body []byte, headers ...string) {
					t.Helper()
					got := r.do(t, method, path, append(headers, "Accept-Encoding", accepted)...)
					if method == http.MethodHead {
						got.want(t, status, []byte{})
					} else {
						got.want(t, status, body)
					}
					wantUntransformed(t, got, len(body))
				}
				ask(http.MethodGet, "team/app/manifests/1", 200, img.body)
				ask(http.MethodHead, path, 200, layer)
				ask(http.MethodGet, path, 200, layer)
				r.settle(t, d)
				ask(http.MethodGet, path, 200, layer)
				ask(http.MethodHead, path, 200, layer)
				ask(http.MethodGet, path, 206, layer[10:20], "Range", "bytes=10-19")
			})
		}
	}
}

func wantUntransformed(t *testing.T, got reply, length int) {
	t.Helper()
	if said := got.Header.Values("Content-Encoding"); len(said) > 0 || got.Uncompressed {
		t.Errorf("%s %s has the Content-Encoding %q", got.Request.Method, got.Request.URL.Path, said)
	}
	if got.ContentLength != int64(length) {
		t.Errorf("%s %s: Content-Length is %d, want %d", got.Request.Method, got.Request.URL.Path, got.ContentLength, length)
	}
}
