package client

import (
	"context"
	"crypto/x509"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/registryhub/registryhub/hack/bench/images"
)

// parallel is how many blobs of an image containerd fetches at once (max_concurrent_downloads).
const parallel = 3

// Puller pulls images as containerd does: the tag by HEAD, the manifest by digest, then the blobs.
type Puller struct {
	// Address of the server.
	Address string
	// Roots to trust; nil: without TLS.
	Roots *x509.CertPool
	// Query that is added to each target, such as ?ns=.
	Query string
}

// Pulled is what a pull took.
type Pulled struct {
	// FirstByte of a layer, and the End, after the beginning.
	FirstByte, End time.Duration
	Bytes          int64
}

// Pull pulls an image.
func (p Puller) Pull(ctx context.Context, image images.Image) (Pulled, error) {
	began := time.Now()
	if err := p.resolve(ctx, image); err != nil {
		return Pulled{}, err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	var mu sync.Mutex
	var pulled Pulled
	for _, blob := range image.Blobs {
		group.Go(func() error {
			asked := time.Since(began)
			answer, err := p.Ask(ctx, Request{Target: image.BlobPath(blob)})
			mu.Lock()
			defer mu.Unlock()
			pulled.Bytes += answer.Bytes
			if first := asked + answer.Header; blob != image.Blobs[0] && (pulled.FirstByte == 0 || first < pulled.FirstByte) {
				pulled.FirstByte = first
			}
			return err
		})
	}
	err := group.Wait()
	pulled.End = time.Since(began)
	return pulled, err
}

func (p Puller) resolve(ctx context.Context, image images.Image) error {
	if _, err := p.Ask(ctx, Request{Method: "HEAD", Target: image.TagPath()}); err != nil {
		return err
	}
	_, err := p.Ask(ctx, Request{Target: image.ManifestPath()})
	return err
}

// Ask asks over a connection of its own.
func (p Puller) Ask(ctx context.Context, request Request) (Answer, error) {
	return p.AskSlowly(ctx, request, func(Answer, int) error { return nil })
}

// AskSlowly is Ask, but calls taken whenever bytes were read, before more is read.
func (p Puller) AskSlowly(ctx context.Context, request Request, taken Taken) (Answer, error) {
	connection, err := Dial(ctx, p.Address, p.Roots)
	if err != nil {
		return Answer{}, err
	}
	defer connection.Close()
	defer context.AfterFunc(ctx, func() { _ = connection.SetDeadline(time.Unix(1, 0)) })()
	request.Target += p.Query
	return connection.AskSlowly(request, taken)
}
