package s3store

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/registryhub/registryhub/proxy/store"
)

// entry is what an object is: pieces that an upload brought, or what comes behind the document itself.
type entry struct {
	Digest digest.Digest `json:"digest"`
	Size   int64         `json:"size"`
	Upload string        `json:"upload,omitempty"`
	Pieces []piece       `json:"pieces,omitempty"`

	data []byte
}

// maxWritten is the most bytes of an object that is in its document: more than any manifest has.
const maxWritten = 6 << 20

// entryEnds is behind the document of an entry, and before its data.
const entryEnds = '\n'

func (e entry) encode() ([]byte, error) {
	content, err := fresh(e)
	return append(append(content, entryEnds), e.data...), err
}

// entryIn reads the entry of a digest. A document in the wrong place speaks for nothing: store.ErrNotFound.
func entryIn(content []byte, d digest.Digest) (e entry, err error) {
	text, data, _ := bytes.Cut(content, []byte{entryEnds})
	if err := json.Unmarshal(text, &e); err != nil {
		return e, fmt.Errorf("%w: %w", store.ErrNotFound, err)
	}
	if e.Digest != d || e.Upload == "" && int64(len(data)) != e.Size {
		return e, fmt.Errorf("%w: what stands there is of %s, with %d bytes of %d", store.ErrNotFound, e.Digest, len(data), e.Size)
	}
	e.data = data
	return e, nil
}

func (r *Registry) findEntry(ctx context.Context, d digest.Digest) (document, entry, error) {
	document, err := r.find(ctx, r.keys.entry(d))
	if err != nil {
		return document, entry{}, err
	}
	e, err := entryIn(document.content, d)
	return document, e, err
}

func (r *Registry) pieces(e entry) joined {
	return joined{registry: r, upload: e.Upload, pieces: e.Pieces, size: e.Size}
}

// intact reports whether the pieces of an entry are there.
func (r *Registry) intact(ctx context.Context, e entry) (bool, error) {
	for _, p := range e.Pieces {
		info, err := r.bucket.stat(ctx, r.keys.piecesOf(e.Upload)+p.Name)
		if errors.Is(err, store.ErrNotFound) || err == nil && info.Size != p.Size {
			return false, nil
		}
		if err != nil {
			return false, err
		}
	}
	return true, nil
}

// renewIntact renews an object that is whole. store.ErrNotFound: it is to be placed.
func (r *Registry) renewIntact(ctx context.Context, d digest.Digest) error {
	document, e, err := r.findEntry(ctx, d)
	if err != nil {
		return err
	}
	intact, err := r.intact(ctx, e)
	if err == nil && !intact {
		err = store.ErrNotFound
	}
	if err != nil {
		return err
	}
	return r.renew(ctx, r.keys.entry(d), document)
}

// place makes an object, unless it is there.
func (r *Registry) place(ctx context.Context, e entry) error {
	content, err := e.encode()
	if err != nil {
		return err
	}
	key := r.keys.entry(e.Digest)
	for {
		before, err := r.site(ctx, key)
		if err != nil {
			return err
		}
		if before.live() {
			err = r.renewIntact(ctx, e.Digest)
		}
		if !before.live() || errors.Is(err, store.ErrNotFound) {
			if err = r.replace(ctx, key, before, content); err == nil {
				r.usage.grow(int64(len(e.data)))
			}
		}
		if !errors.Is(err, errChanged) {
			return err
		}
	}
}

// Put implements store.Content.
func (r *Registry) Put(ctx context.Context, proof store.Proof, data []byte) error {
	d := proof.Digest()
	if d == "" || proof.Size() != int64(len(data)) {
		return fmt.Errorf("keeping %d bytes: the proof is for %d bytes of %q", len(data), proof.Size(), d)
	}
	if len(data) > maxWritten {
		return fmt.Errorf("keeping %s: %d bytes are too many to be put at once: push them as an upload", d, len(data))
	}
	if err := r.place(ctx, entry{Digest: d, Size: proof.Size(), data: data}); err != nil {
		return fmt.Errorf("keeping %s: %w", d, err)
	}
	return nil
}

// Open implements store.Content.
func (r *Registry) Open(ctx context.Context, d digest.Digest) (store.Object, error) {
	if err := d.Validate(); err != nil {
		return nil, fmt.Errorf("opening an object: %w", err)
	}
	r.pins.Add(d)
	_, e, err := r.findEntry(ctx, d)
	if err != nil {
		r.pins.Release(d)
		return nil, fmt.Errorf("opening %s: %w", d, err)
	}
	pin := &pin{pins: &r.pins, digest: d}
	if e.Upload == "" {
		return &written{pin: pin, data: e.data}, nil
	}
	return &pushed{pin: pin, joined: r.pieces(e)}, nil
}

// pin keeps an object from being removed by this process until it is closed.
type pin struct {
	pins   *store.Pins
	digest digest.Digest
	closed bool
}

// Close implements io.Closer.
func (p *pin) Close() error {
	if !p.closed {
		p.closed = true
		p.pins.Release(p.digest)
	}
	return nil
}

// written is an object that is in its document.
type written struct {
	*pin
	data []byte
}

var _ store.InMemory = (*written)(nil)

// Bytes implements store.InMemory.
func (w *written) Bytes() []byte { return w.data }

// Size implements store.Object.
func (w *written) Size() int64 { return int64(len(w.data)) }

// Section implements store.Reader.
func (w *written) Section(_ context.Context, offset, length int64) (io.ReadCloser, error) {
	return io.NopCloser(io.NewSectionReader(bytes.NewReader(w.data), offset, length)), nil
}

// pushed is an object of pieces.
type pushed struct {
	*pin
	joined
}

var _ store.Located = (*pushed)(nil)

// Size implements store.Object.
func (p *pushed) Size() int64 { return p.size }

// Location implements store.Located for what is in one piece.
func (p *pushed) Location(ctx context.Context) (string, error) {
	r := p.registry
	if !r.redirects.Load() || p.size <= headSize || len(p.pieces) != 1 {
		return "", nil
	}
	location, err := r.bucket.core.Presign(ctx, http.MethodGet, r.bucket.name, r.keys.piecesOf(p.upload)+p.pieces[0].Name, locationTerm, nil)
	if err != nil {
		return "", fmt.Errorf("signing where %s is: %w", p.digest, typed(err))
	}
	return location.String(), nil
}

// Keep implements store.Catalog.
func (r *Registry) Keep(ctx context.Context, d digest.Digest) error {
	err := d.Validate()
	if err == nil {
		err = r.keepYoung(ctx, r.keys.entry(d))
	}
	if err != nil {
		return fmt.Errorf("keeping %s: %w", d, err)
	}
	return nil
}

func (r *Registry) keepYoung(ctx context.Context, key string) error {
	before, err := r.find(ctx, key)
	if err != nil {
		return err
	}
	return r.renew(ctx, key, before)
}

// Remove implements store.Remover. A reader of another process reads on to the end of what it has begun.
func (r *Registry) Remove(ctx context.Context, d digest.Digest, unusedSince time.Time) error {
	err := d.Validate()
	if err == nil && r.pins.Has(d) {
		err = store.ErrInUse
	}
	if err == nil {
		err = r.removeEntry(ctx, d, unusedSince)
	}
	if errors.Is(err, store.ErrNotFound) {
		err = r.removeFill(ctx, d, unusedSince)
	}
	if err != nil {
		return fmt.Errorf("removing %s: %w", d, err)
	}
	return nil
}

// removeEntry has the document of the upload name the pieces again, before that of the object does so no more.
func (r *Registry) removeEntry(ctx context.Context, d digest.Digest, unusedSince time.Time) error {
	before, e, err := r.findEntry(ctx, d)
	if err == nil && before.touched().After(unusedSince) {
		err = store.ErrInUse
	}
	over := true
	if err == nil && e.Upload != "" {
		over, err = r.resurrect(ctx, e)
	}
	if err == nil {
		err = r.bury(ctx, r.keys.entry(d), before)
	}
	if errors.Is(err, errChanged) {
		err = store.ErrInUse
	}
	if err == nil && over {
		r.usage.grow(-int64(len(e.data)))
		r.dropPieces(ctx, e.Upload, e.Pieces...)
	}
	return err
}
