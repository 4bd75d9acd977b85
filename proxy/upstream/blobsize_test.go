package upstream

import (
	"fmt"
	"math"
	"net/http"
	"strconv"
	"testing"
)

func TestBlobThatIsLargerThanAnyIsRefused(t *testing.T) {
	for size, wantInvalid := range map[int64]bool{MaxBlobSize: false, MaxBlobSize + 1: true, math.MaxInt64: true} {
		for name, answer := range map[string]http.HandlerFunc{
			"a part": func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Range", fmt.Sprintf("bytes 4-9/%d", size))
				w.WriteHeader(http.StatusPartialContent)
				_, _ = w.Write(make([]byte, 6)) // fails when the client has seen enough
			},
			"the whole": func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Length", strconv.FormatInt(size, 10))
			},
		} {
			server, _ := serve(t, answer)
			c := client(t, server.URL)
			b, err := c.Blob(t.Context(), "a", blobDigest, 4, -1)
			if IsInvalidResponse(err) != wantInvalid {
				t.Errorf("%s of %d bytes: got error %v", name, size, err)
			}
			if err == nil {
				_ = b.Body.Close() // it is cut
			}
			if name == "a part" {
				continue
			}
			if _, err := c.BlobHead(t.Context(), "a", blobDigest); IsInvalidResponse(err) != wantInvalid {
				t.Errorf("HEAD of %d bytes: got error %v", size, err)
			}
		}
	}
}
