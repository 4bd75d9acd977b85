package pullthrough

import (
	"context"
	"errors"
	"math"
	"net/http"
	"strconv"

	"github.com/opencontainers/go-digest"

	"github.com/registryhub/registryhub/proxy/answer"
	"github.com/registryhub/registryhub/proxy/distspec"
	"github.com/registryhub/registryhub/proxy/metrics"
	"github.com/registryhub/registryhub/proxy/store"
	"github.com/registryhub/registryhub/proxy/upstream"
)

// source is where a blob comes from: a repository as clients name it, and the name under which the upstream has it.
type source struct {
	host       *Host
	repository store.Repository
	effective  string
	digest     digest.Digest
}

// hosted is a blob as the upstreams of one host have it. What those of another do to theirs is nothing to it.
type hosted struct {
	host   string
	digest digest.Digest
}

func (s source) hosted() hosted { return hosted{host: s.repository.Host, digest: s.digest} }

// key is one for each blob of a repository, by the name that upstreams are asked for it, and of those upstreams.
func (s source) key() string {
	return "blob\n" + strconv.Itoa(s.host.generation) + "\n" + s.repository.Host + "\n" + s.repository.Name + "\n" + s.effective + "\n" + s.digest.String()
}

// blobRequest is a request for a blob.
type blobRequest struct {
	source
	w *answer.Recorder
	r *http.Request
	// linked says that a manifest of the repository names the blob, or that the upstream once said that the
	// repository has it.
	linked bool
	// expected is the size that the manifest says, 0 where none does.
	expected int64
	// wrong counts the fills that came and went before the request had a byte of them, since they were thrown away.
	wrong int
}

func (m *Mirror) serveBlob(w *answer.Recorder, r *http.Request, q query) error {
	b := blobRequest{
		source: source{host: q.host, repository: q.repository, digest: q.Reference.Digest()},
		w:      w, r: r,
	}
	ctx := r.Context()
	link, err := m.linked(ctx, b.repository, b.digest)
	b.effective = link.Effective
	if m.storeTrouble(err) == nil {
		b.linked, b.expected = true, link.Size
	}
	if !b.linked && m.absent.has(b.key(), m.Now()) {
		return m.saidAbsent(q.Kind, distspec.BlobUnknown)
	}
	object, err := m.Store.Open(ctx, b.digest)
	if m.storeTrouble(err) == nil {
		return m.serveObject(ctx, b, object)
	}
	if r.Method == http.MethodHead {
		return m.serveColdHead(ctx, b)
	}
	return m.serveCold(ctx, b)
}

// serveObject serves what is in the store, under a repository that has it.
func (m *Mirror) serveObject(ctx context.Context, b blobRequest, object store.Object) (err error) {
	defer func() { err = errors.Join(err, object.Close()) }()
	if !b.linked {
		if _, err := m.admit(ctx, b.source); err != nil {
			return err
		}
	}
	p, err := answer.PieceOf(b.r, object.Size())
	if err != nil {
		return err
	}
	m.Metrics.Lookup("blob", metrics.Hit)
	if m.redirect(ctx, b, object) {
		return nil
	}
	writeBlobHeader(b.w, b.source, p)
	if b.r.Method == http.MethodHead || p.Length() == 0 {
		return nil
	}
	n, err := answer.Send(ctx, b.w, object, p.First, p.Length())
	if err != nil && ctx.Err() == nil {
		// It may be the client's trouble. If it is the store's, the client finds the object gone when it asks for the rest.
		err = errors.Join(err, m.storeTrouble(store.Recheck(ctx, object, p.First+n)))
	}
	return err
}

// serveColdHead asks the upstream and fetches nothing.
func (m *Mirror) serveColdHead(ctx context.Context, b blobRequest) error {
	head, err := m.admit(ctx, b.source)
	if err == nil && head.Size < 0 {
		err = distspec.Unavailable(errNoSize)
	}
	if err != nil {
		return err
	}
	m.Metrics.Lookup("blob", metrics.Miss)
	p, err := answer.PieceOf(b.r, head.Size)
	if err != nil {
		return err
	}
	writeBlobHeader(b.w, b.source, p)
	return nil
}

// admit asks the upstream, once, whether a repository has a blob, and remembers that it has: a digest alone opens
// nothing of another repository.
func (m *Mirror) admit(ctx context.Context, s source) (upstream.Descriptor, error) {
	return m.heads.join(m.work, s.key(), func(ctx context.Context) (upstream.Descriptor, error) {
		head, err := ask(ctx, s.host.Upstreams, func(u *upstream.Client) (upstream.Descriptor, error) {
			head, err := u.BlobHead(ctx, s.effective, s.digest)
			return head, m.counted(u, "blob", err)
		})
		if err != nil {
			return head, asError(m.believed(s, err), distspec.BlobUnknown)
		}
		m.link(ctx, s)
		return head, nil
	}).wait(ctx, headersWithin)
}

// believed remembers that the upstream has no such blob, if that is what err says.
func (m *Mirror) believed(s source, err error) error {
	if upstream.IsNotFound(err) {
		m.absent.add(s.key(), m.Now(), absentFor)
	}
	return err
}

// link remembers that a repository has a blob. What a manifest says of it stays.
func (m *Mirror) link(ctx context.Context, s source) {
	if known, err := m.Store.Linked(ctx, s.repository, s.digest); err == nil && known.Effective == s.effective {
		return
	}
	_ = m.storeTrouble(m.Store.Link(ctx, s.repository, store.Link{Digest: s.digest, Effective: s.effective})) // counted and told there
}

// serveCold serves a blob from the one transfer that brings it.
func (m *Mirror) serveCold(ctx context.Context, b blobRequest) error {
	if continues(b.r) && m.condemned.has(b.hosted(), m.Now()) {
		return distspec.Unavailable(errCondemned)
	}
	for {
		f, joined := m.fills.join(m, b.source, b.expected)
		err := f.wait(ctx, headersWithin)
		switch {
		case errors.Is(err, errWhole):
			return m.serveWhole(ctx, b)
		case errors.Is(err, errNotKept):
			return m.serveUncached(ctx, b)
		case err != nil && joined && f.source != b.source && final(err):
			continue // what another repository lacks, this one may have
		case err != nil:
			return asError(err, distspec.BlobUnknown)
		}
		return m.serveFill(ctx, b, f, joined)
	}
}

func (m *Mirror) serveWhole(ctx context.Context, b blobRequest) error {
	object, err := m.Store.Open(ctx, b.digest)
	if err != nil {
		return distspec.Unavailable(err) // gone again
	}
	return m.serveObject(ctx, b, object)
}

func (m *Mirror) serveFill(ctx context.Context, b blobRequest, f *fill, joined bool) error {
	if !b.linked && !f.asked(b.source) {
		if _, err := m.admit(ctx, b.source); err != nil {
			return err
		}
	}
	result := metrics.Miss
	if joined {
		result = metrics.Shared
	}
	m.Metrics.Lookup("blob", result)
	return m.follow(ctx, b, f)
}

// continues reports whether a request is for what comes after bytes that the client has already.
func continues(r *http.Request) bool {
	part, partial, err := distspec.ParseRange(r.Header.Get("Range"), math.MaxInt64)
	return err == nil && partial && part.First > 0
}
