package pullthrough

import (
	"net/http"

	"github.com/registryhub/registryhub/proxy/answer"
	"github.com/registryhub/registryhub/proxy/store"
)

// writeBlobHeader answers 200 or 206 for a blob.
func writeBlobHeader(w http.ResponseWriter, s source, p answer.Piece) {
	setEffective(w.Header(), s.repository, s.effective)
	answer.BlobHeader(w, s.digest, p)
}

func setEffective(h http.Header, repository store.Repository, effective string) {
	if effective != repository.Name {
		h.Set(headerEffective, effective)
	}
}
