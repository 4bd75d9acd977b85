// Package local is a registry to push to: the four workflows of the OCI distribution specification 1.1 over a store, of
// which any number of processes may serve the same place.
//
// It remembers nothing between two requests. How far an upload is stands in the store, and which upload a request is of
// in its URL, signed.
//
// What is kept is kept in an order that a crash cannot make untrue: a blob before its repository's link to it; everything that
// a manifest names before the manifest, the manifest before its tag. So deletion runs backwards.
package local

import (
	"context"
	"errors"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/go-logr/logr"

	"github.com/registryhub/registryhub/proxy/access"
	"github.com/registryhub/registryhub/proxy/answer"
	"github.com/registryhub/registryhub/proxy/canary"
	"github.com/registryhub/registryhub/proxy/distspec"
	"github.com/registryhub/registryhub/proxy/local/ticket"
	"github.com/registryhub/registryhub/proxy/metrics"
	"github.com/registryhub/registryhub/proxy/store"
)

// storeHost stands for the hub's hosts in the store, so that these may change.
const storeHost = "local"

// Guard says who may do what.
type Guard interface {
	// Check returns nil for who may do something in a repository, "" for the API's root, or else an *Error of distspec,
	// after it has put what the client needs to know into the answer's header.
	Check(h http.Header, r *http.Request, repository string, action access.Action) error
	// MayMount reports whether a blob may be mounted from a repository, for a request that Check has let through.
	MayMount(r *http.Request, repository string) bool
}

// Keys sign the URLs of uploads: *ticket.Keys, or what changes them.
type Keys interface {
	Sign(place ticket.Place, t ticket.Ticket) string
	// Check: ticket.ErrInvalid.
	Check(place ticket.Place, text string, now time.Time) (ticket.Ticket, error)
}

// Rules of what is taken.
type Rules struct {
	// Immutable are for the whole of "<repository>:<tag>": a tag that one matches is given once.
	Immutable []*regexp.Regexp
	// Sparse takes manifests some of whose children are not there.
	Sparse bool
	// UploadsExpire is how long nobody may go on with an upload before it is gone. Default: UploadsExpire.
	UploadsExpire time.Duration
}

func (r Rules) immutable(repository, tag string) bool {
	return slices.ContainsFunc(r.Immutable, func(match *regexp.Regexp) bool { return match.MatchString(repository + ":" + tag) })
}

// Options of a Registry. All fields are required, except HubUID, Now, Rules, Full and Failed.
type Options struct {
	// Hub is the hub's name, for logs and for the URLs of uploads.
	Hub string
	// HubUID is the UID of the hub, of which nodes' canaries are made. Default: none, and no canary is answered.
	HubUID string
	// Store that content is kept in. If it is not a store.Registry, the registry is read only.
	Store store.Store
	// Keys sign the URLs of uploads. Every replica must have the same.
	Keys Keys
	// Guard says who may do what.
	Guard Guard
	// Rules are asked anew for each push. Default: none.
	Rules func() Rules
	// Full reports whether there is no room, so that nothing new is taken. Default: there always is.
	Full func() bool
	// Failed is called whenever the store failed (store.ErrFailing), with the error. It must not wait. Default: nobody is
	// told.
	Failed func(error)

	Logger  logr.Logger
	Metrics *metrics.Metrics
	// Now is the clock of uploads. Default: time.Now.
	Now func() time.Time
}

// Registry is the http.Handler of a registry.
type Registry struct {
	Options
	writable store.Registry // nil for one that is read only
}

// New returns a Registry.
func New(options Options) *Registry {
	if options.Now == nil {
		options.Now = time.Now
	}
	if options.Rules == nil {
		options.Rules = func() Rules { return Rules{} }
	}
	if options.Full == nil {
		options.Full = func() bool { return false }
	}
	if options.Failed == nil {
		options.Failed = func(error) {}
	}
	g := &Registry{Options: options}
	g.writable, _ = options.Store.(store.Registry)
	return g
}

// call is a request after the edge.
type call struct {
	distspec.Request
	*Registry
	w          *answer.Recorder
	r          *http.Request
	repository store.Repository
}

// route is what a method does with a kind of thing.
type route struct {
	action access.Action
	serve  func(call) error
	// writes says that it needs a store that can be pushed to.
	writes bool
}

// routes by kind and method. HEAD is GET without a body.
var routes = map[distspec.Kind]map[string]route{
	distspec.KindBase: {http.MethodGet: {action: access.Pull, serve: call.serveBase}},
	distspec.KindManifest: {
		http.MethodGet:    {action: access.Pull, serve: call.serveManifest},
		http.MethodPut:    {action: access.Push, serve: call.putManifest, writes: true},
		http.MethodDelete: {action: access.Delete, serve: call.deleteManifest, writes: true},
	},
	distspec.KindBlob: {
		http.MethodGet:    {action: access.Pull, serve: call.serveBlob},
		http.MethodDelete: {action: access.Delete, serve: call.deleteBlob, writes: true},
	},
	distspec.KindTags:      {http.MethodGet: {action: access.Pull, serve: call.serveTags}},
	distspec.KindReferrers: {http.MethodGet: {action: access.Pull, serve: call.serveReferrers}},
	distspec.KindUploads:   {http.MethodPost: {action: access.Push, serve: call.beginUpload, writes: true}},
	distspec.KindUpload: {
		http.MethodGet:    {action: access.Push, serve: call.serveUpload, writes: true},
		http.MethodPatch:  {action: access.Push, serve: call.patchUpload, writes: true},
		http.MethodPut:    {action: access.Push, serve: call.putUpload, writes: true},
		http.MethodDelete: {action: access.Push, serve: call.deleteUpload, writes: true},
	},
}

// ServeHTTP answers a request of the distribution API. Trouble after the header of the answer is out ends the connection
// before Content-Length.
func (g *Registry) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	began := time.Now()
	out := &answer.Recorder{ResponseWriter: w}
	kind, err := g.serve(out, r)
	if err != nil {
		g.storeTrouble(err)
		g.Logger.V(1).Info("request failed", "kind", kind, "method", r.Method, "path", r.URL.Path, "error", err.Error())
	}
	if err != nil && out.Status == 0 {
		distspec.WriteError(out, r, asError(err))
	}
	g.Metrics.Request(kind, out.Status, out.Bytes, out.HeaderAt.Sub(began))
}

// serve returns the kind of the request for the metrics, from a fixed set.
func (g *Registry) serve(w *answer.Recorder, r *http.Request) (string, error) {
	request, err := distspec.ParseRequest(r)
	if err != nil {
		return "invalid", err
	}
	namespace, err := distspec.Namespace(r.URL.RawQuery)
	if err != nil {
		return "invalid", err
	}
	if namespace != "" {
		w.Header().Set("OCI-Namespace", namespace)
	}
	kind := string(request.Kind)
	if canary.Is(request.Repository) && (r.Method == http.MethodGet || r.Method == http.MethodHead) {
		return kind, canary.Hub{UID: g.HubUID, Metrics: g.Metrics}.Serve(w, r, request)
	}
	chosen, err := g.route(w.Header(), r.Method, request.Kind)
	if err != nil {
		return kind, err
	}
	if err := g.Guard.Check(w.Header(), r, request.Repository, chosen.action); err != nil {
		return kind, err
	}
	repository := store.Repository{Host: storeHost, Name: request.Repository}
	return kind, chosen.serve(call{Request: request, Registry: g, w: w, r: r, repository: repository})
}

// route finds what a method does, or says which methods there are.
func (g *Registry) route(h http.Header, method string, kind distspec.Kind) (route, error) {
	if method == http.MethodHead {
		method = http.MethodGet
	}
	chosen, found := routes[kind][method]
	if found && (!chosen.writes || g.writable != nil) {
		return chosen, nil
	}
	var allowed []string
	for _, m := range []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPatch, http.MethodPut, http.MethodDelete} {
		as := m
		if m == http.MethodHead {
			as = http.MethodGet
		}
		if r, ok := routes[kind][as]; ok && (!r.writes || g.writable != nil) {
			allowed = append(allowed, m)
		}
	}
	h.Set("Allow", strings.Join(allowed, ", "))
	return route{}, distspec.NewError(http.StatusMethodNotAllowed, distspec.CodeUnsupported, "this cannot be done here")
}

func (c call) serveBase() error { return answer.Base(c.w, c.r) }

// asError gives an error of the store the meaning that it has for a client.
func asError(err error) error {
	var mismatch *store.MismatchError
	var known *distspec.Error
	switch {
	case errors.As(err, &known):
		return err
	case errors.As(err, &mismatch):
		return &distspec.Error{
			Status: http.StatusBadRequest, Code: distspec.CodeDigestInvalid, Err: err,
			Message: "the bytes that came have another digest: they are " + mismatch.Got.String(),
		}
	case errors.Is(err, store.ErrNoSpace):
		return full(err)
	}
	return err
}

// full says that nothing new is taken. What is there is served on.
func full(cause error) error {
	return &distspec.Error{
		Status: http.StatusInsufficientStorage, Code: distspec.CodeDenied, Err: cause,
		Message: "the registry's storage is full: delete something, or have it made larger, and push again",
	}
}

// storeTrouble tells of what is wrong with the store itself.
func (g *Registry) storeTrouble(err error) {
	var known *distspec.Error
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, store.ErrNotFound) && !errors.Is(err, store.ErrDamaged), errors.Is(err, store.ErrConflict):
	case errors.Is(err, store.ErrDamaged):
		g.Metrics.Damaged(metrics.Asked)
		g.Logger.Info("damaged object put aside", "hub", g.Hub, "cause", err.Error())
	case errors.Is(err, store.ErrNoSpace):
		g.Metrics.StoreError()
	case errors.Is(err, store.ErrFailing):
		g.Metrics.StoreError()
		g.Failed(err)
	case errors.As(err, &known) && known.Err == nil:
	}
}
