package pullthrough

import (
	"context"
	"net/http"

	"github.com/registryhub/registryhub/proxy/store"
)

// redirect sends a client to where an object is, if it is to be sent there. A client that cannot reach that asks the upstream,
// as containerd does after a redirect that leads nowhere. What is only asked about is answered here.
func (m *Mirror) redirect(ctx context.Context, b blobRequest, object store.Object) bool {
	located, ok := object.(store.Located)
	if !ok || b.r.Method != http.MethodGet {
		return false
	}
	location, err := located.Location(ctx)
	if m.storeTrouble(err) != nil || location == "" {
		return false
	}
	h := b.w.Header()
	h.Set("Location", location)
	h.Set("Docker-Content-Digest", b.digest.String())
	setEffective(h, b.repository, b.effective)
	h.Set("Content-Length", "0")
	b.w.WriteHeader(http.StatusTemporaryRedirect)
	return true
}
