// Package origin is the synthetic upstream of the benchmarks: a registry that serves a tree of images from the page cache, as
// slowly as it is told to, and counts what it sends.
package origin

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/registryhub/registryhub/hack/bench/images"
)

// Origin serves a tree.
type Origin struct {
	tree  images.Tree
	pace  pace
	tally tally
}

// New returns an Origin that is as fast as it can be.
func New(tree images.Tree) *Origin {
	o := &Origin{tree: tree}
	o.tally.Reset()
	return o
}

// Serve serves on an address until the context ends.
func (o *Origin) Serve(ctx context.Context, address string) error {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("listening for the synthetic upstream: %w", err)
	}
	server := &http.Server{Handler: o, ReadHeaderTimeout: time.Minute}
	context.AfterFunc(ctx, func() { _ = server.Close() })
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serving the synthetic upstream: %w", err)
	}
	return nil
}

// ServeHTTP answers requests of the distribution API, and those of Control.
func (o *Origin) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.URL.Path == controlPath:
		o.control(w, r)
	case r.URL.Path == "/v2/":
		w.WriteHeader(http.StatusOK)
	case r.Method == http.MethodGet || r.Method == http.MethodHead:
		o.object(w, r)
	default:
		http.Error(w, "this registry is read only", http.StatusMethodNotAllowed)
	}
}

func (o *Origin) object(w http.ResponseWriter, r *http.Request) {
	name := path.Clean(r.URL.Path)
	o.tally.Request(name)
	if !o.pace.wait(r.Context()) {
		return
	}
	file, err := os.Open(filepath.Join(o.tree.Directory, filepath.FromSlash(name)))
	if err != nil {
		http.Error(w, `{"errors":[{"code":"NAME_UNKNOWN"}]}`, http.StatusNotFound)
		return
	}
	defer file.Close()
	kind, err := describe(w.Header(), name, file.Name())
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", kind)
	out := &sender{ResponseWriter: w, ctx: r.Context(), sent: o.tally.Sent(name), rate: o.pace.rate.Load()}
	http.ServeContent(out, r, "", time.Time{}, file)
}

// describe sets the digest of an object, and returns its media type. Only a tag's file is not named after its digest.
func describe(header http.Header, name, file string) (string, error) {
	kind, last := "application/octet-stream", path.Base(name)
	if strings.HasSuffix(path.Dir(name), "/manifests") {
		kind = images.MediaType
	}
	if last == images.Tag {
		body, err := os.ReadFile(file)
		if err != nil {
			return "", err
		}
		last = digest.FromBytes(body).String()
	}
	header.Set("Docker-Content-Digest", last)
	return kind, nil
}
