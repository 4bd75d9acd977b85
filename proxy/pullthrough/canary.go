package pullthrough

import (
	"net/http"

	config "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/proxy/canary"
	"github.com/registryhub/registryhub/proxy/distspec"
)

// anyHost is whose canary a node pulls to prove that what it has no own wiring for comes here. Of it there is nothing else.
var anyHost = &Host{Name: config.AnyHostCanary}

// hostFor is the host that a request is for.
func (s *settings) hostFor(request distspec.Request, namespace string) (*Host, error) {
	if s.Others != nil && namespace == config.AnyHostCanary && canary.Is(request.Repository) {
		return anyHost, nil
	}
	return s.hostOf(namespace)
}

// serveCanary answers a node that proves that it pulls through this hub.
func (m *Mirror) serveCanary(w http.ResponseWriter, r *http.Request, q query) error {
	return canary.Hub{UID: q.HubUID, Metrics: m.Metrics}.Serve(w, r, q.Request)
}
