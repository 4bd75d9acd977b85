package upstream

import (
	"errors"
	"io"
	"net/http"
	"testing"
)

func TestShorterBlobIsToldFromOtherUnusableAnswers(t *testing.T) {
	for body, want := range map[string]bool{"012": true, "0123": false} {
		server, _ := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) }))
		_, _, err := readBlob(t, client(t, server.URL), 4, -1)
		shorter, is := errors.AsType[*ShorterError](err)
		if IsShorter(err) != want || IsInvalidResponse(err) != want || (is && (shorter.Size != 3 || shorter.Offset != 4)) {
			t.Errorf("%q from byte 4 on: got error %v", body, err)
		}
	}
	server, _ := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusPartialContent) }))
	if _, _, err := readBlob(t, client(t, server.URL), 4, -1); IsShorter(err) || !IsInvalidResponse(err) {
		t.Errorf("a part of nothing: got error %v", err)
	}
}
