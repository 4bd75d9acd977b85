package pullthrough_test

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/registryhub/registryhub/proxy/store"
)

// unwritable is a store that takes nothing, for as long as it has a trouble.
type unwritable struct {
	store.Store
	trouble *atomic.Pointer[error]
}

func (s unwritable) fails() error {
	if err := s.trouble.Load(); err != nil {
		return *err
	}
	return nil
}

func (s unwritable) Link(ctx context.Context, r store.Repository, links ...store.Link) error {
	if err := s.fails(); err != nil {
		return err
	}
	return s.Store.Link(ctx, r, links...)
}

func (s unwritable) Put(ctx context.Context, proof store.Proof, data []byte) error {
	if err := s.fails(); err != nil {
		return err
	}
	return s.Store.Put(ctx, proof, data)
}

func (s unwritable) Partial(ctx context.Context, d digest.Digest, size int64) (store.Partial, error) {
	if err := s.fails(); err != nil {
		return nil, err
	}
	return s.Store.Partial(ctx, d, size)
}

func TestFallbackImageIsPulledWhileTheStoreTakesNothing(t *testing.T) {
	for name, trouble := range map[string]error{"full": store.ErrNoSpace, "read-only": store.ErrFailing} {
		t.Run(name, func(t *testing.T) {
			o := newOrigin(t)
			img := o.pushImage(t, "coredns/coredns", "", 100<<10)
			index := o.pushIndex(t, "coredns/coredns", "v1", img)
			nestedOnly(o)
			var now atomic.Pointer[error]
			now.Store(&trouble)
			r := start(t, setup{
				upstreams: []string{o.URL}, rules: doubled, wrap: func(s store.Store) store.Store { return unwritable{s, &now} },
			})
			layer := "blobs/" + img.layer.String()
			r.get(t, "coredns/manifests/v1").want(t, 200, index)
			o.asked()
			child := r.get(t, "coredns/manifests/"+img.manifest.String())
			child.want(t, 200, img.body)
			if effective := child.Header.Get("RegistryHub-Effective-Repository"); effective != "coredns/coredns" {
				t.Errorf("RegistryHub-Effective-Repository: got %q", effective)
			}
			r.do(t, http.MethodHead, "coredns/"+layer).want(t, 200, nil)
			r.get(t, "coredns/"+layer).want(t, 200, img.content)
			r.get(t, "coredns/"+layer, "Range", "bytes=100-").want(t, 206, img.content[100:])
			r.get(t, "coredns/blobs/"+img.config.String()).want(t, 200, nil)
			for _, asked := range o.asked() {
				if !strings.Contains(asked, " coredns/coredns/") {
					t.Errorf("the upstream was asked %s", asked)
				}
			}

			now.Store(nil)
			r.get(t, "coredns/"+layer).want(t, 200, img.content)
			r.settle(t, img.layer)
			o.fail(status(http.StatusServiceUnavailable))
			r.get(t, "coredns/"+layer).want(t, 200, img.content)
		})
	}
}
