package pullthrough

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/registryhub/registryhub/proxy/answer"
	"github.com/registryhub/registryhub/proxy/canary"
	"github.com/registryhub/registryhub/proxy/distspec"
	"github.com/registryhub/registryhub/proxy/store"
)

// headersWithin is how long a request waits for the upstream before it is answered 503: containerd waits 30 s, and
// whatever it asks next waits behind it.
const headersWithin = 10 * time.Second

// headerEffective tells a client under which name the upstream has what it asked for, when a fallback rule found it.
const headerEffective = "RegistryHub-Effective-Repository"

// query is a request after the edge: what is asked for, and of which host.
type query struct {
	distspec.Request
	*settings
	host       *Host
	repository store.Repository
	// namespace is the host as the client named it, empty when it named none.
	namespace string
}

// ServeHTTP answers a request of the distribution API. Trouble after the header of the answer is out ends the
// connection before Content-Length: net/http closes it then, with a FIN, which containerd takes for a reason to ask
// for the rest elsewhere. http.ErrAbortHandler would be a reset, which fails the pull.
func (m *Mirror) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	began := time.Now()
	out := &answer.Recorder{ResponseWriter: w}
	kind, err := m.serve(out, r)
	if err != nil {
		m.Logger.V(1).Info("request failed", "kind", kind, "method", r.Method, "path", r.URL.Path, "error", err.Error())
	}
	if err != nil && out.Status == 0 {
		distspec.WriteError(out, r, err)
	}
	m.Metrics.Request(kind, out.Status, out.Bytes, out.HeaderAt.Sub(began))
}

// serve returns the kind of the request for the metrics, from a fixed set.
func (m *Mirror) serve(w *answer.Recorder, r *http.Request) (string, error) {
	q, err := m.parse(r)
	if err != nil {
		return "invalid", err
	}
	if q.host != nil {
		w.Header().Set("OCI-Namespace", q.host.Name)
	}
	if pushes(r, q.Kind) {
		w.Header().Set("Allow", "GET, HEAD")
		return string(q.Kind), distspec.NewError(http.StatusMethodNotAllowed, distspec.CodeUnsupported, "a mirror is read only: push to the registry itself")
	}
	if canary.Is(q.Repository) {
		return string(q.Kind), m.serveCanary(w, r, q)
	}
	switch q.Kind {
	case distspec.KindBase:
		err = answer.Base(w, r)
	case distspec.KindManifest:
		err = m.serveManifest(w, r, q)
	case distspec.KindBlob:
		err = m.serveBlob(w, r, q)
	case distspec.KindTags:
		err = m.serveTags(w, r, q)
	case distspec.KindReferrers:
		err = m.serveReferrers(w, r, q)
	case distspec.KindUploads, distspec.KindUpload: // refused above
	}
	return string(q.Kind), err
}

func pushes(r *http.Request, kind distspec.Kind) bool {
	return r.Method != http.MethodGet && r.Method != http.MethodHead || kind == distspec.KindUploads || kind == distspec.KindUpload
}

func (m *Mirror) parse(r *http.Request) (query, error) {
	request, err := distspec.ParseRequest(r)
	if err != nil {
		return query{}, err
	}
	now := m.settings.Load()
	namespace, err := now.namespace(r.URL.RawQuery)
	if err != nil {
		return query{}, err
	}
	if request.Kind == distspec.KindBase && namespace == "" {
		return query{Request: request}, nil
	}
	host, err := now.hostFor(request, namespace)
	if err != nil {
		return query{}, err
	}
	if request.Kind != distspec.KindBase && !canary.Is(request.Repository) && !now.Repositories.Allows(request.Repository) {
		return query{}, notServed()
	}
	repository := store.Repository{Host: strings.ToLower(host.Name), Name: request.Repository}
	return query{Request: request, settings: now, host: host, repository: repository, namespace: namespace}, nil
}

func notServed() error {
	return distspec.NewError(http.StatusForbidden, distspec.CodeDenied, "this hub does not serve the repository: its lists of repositories leave it out")
}

// namespace knows the query by which containerd names one of the hub's hosts: to parse it anew is a tenth of what the
// mirror spends on a hit.
func (s *settings) namespace(rawQuery string) (string, error) {
	if name, alone := strings.CutPrefix(rawQuery, "ns="); alone && s.hosts[name] != nil {
		return name, nil
	}
	return distspec.Namespace(rawQuery)
}

var errCut = errors.New("the client was cut before the end: it may ask for the rest elsewhere")
