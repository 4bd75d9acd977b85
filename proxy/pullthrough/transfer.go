package pullthrough

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/registryhub/registryhub/proxy/distspec"
	"github.com/registryhub/registryhub/proxy/upstream"
)

const (
	// triesWithoutProgress is how often a transfer asks again before it gives up; every byte gives it all of
	// them back.
	triesWithoutProgress = 6
	// stallsWithoutProgress is how often it may wait for a byte that does not come, if there are no more upstreams than
	// that: each time is long, and containerd gives a pull up after five minutes of silence.
	stallsWithoutProgress = 2
	// triesAtOneUpstream is how many of them the upstream gets that was cut, before the others come first.
	triesAtOneUpstream = 3
	// firstDelay comes before the second try, and doubles from there.
	firstDelay = 50 * time.Millisecond
)

// transfer reads a blob, or a part of it, from its upstreams. A cut, a reset or a stall is resumed where it was, on the
// same upstream or the next; who reads sees nothing of it.
type transfer struct {
	mirror    *Mirror
	source    source
	upstreams []*upstream.Client // in the order that they are asked

	offset int64 // of the next byte
	end    int64 // of what is asked for; -1 for the end of the blob until that is known
	size   int64 // of the blob; -1 until it is known
	ranges bool  // the upstream can send parts
	// onlyPart refuses the whole where a part was asked for.
	onlyPart bool
	// expected is the size that a manifest says, 0 where none does: another is refused before a byte of it is taken.
	expected int64
	from     *upstream.Client
	body     io.ReadCloser

	tries, stalls int
	cause         error // why it was cut last
}

// newTransfer does not ask anybody yet. A digest that was lately found wrong is asked of the other upstreams first.
func (m *Mirror) newTransfer(s source, offset, end int64) *transfer {
	t := &transfer{mirror: m, source: s, upstreams: slices.Clone(s.host.Upstreams), offset: offset, end: end, size: -1}
	for range m.condemned.times(s.hosted(), m.Now()) % len(t.upstreams) {
		t.turn()
	}
	return t
}

// open asks for what begins at the offset. The context is that of the whole transfer.
func (t *transfer) open(ctx context.Context) error {
	blob, err := t.ask(ctx, func(u *upstream.Client) (*upstream.Blob, error) {
		t.from = u
		blob, err := u.Blob(ctx, t.source.effective, t.source.digest, t.offset, t.length())
		return t.usable(blob, t.mirror.counted(u, "blob", err))
	})
	if err != nil {
		return err
	}
	t.size, t.body, t.ranges = blob.Size, blob.Body, blob.Ranges
	if t.end < 0 || t.end > t.size || (!blob.Partial && t.offset == 0) {
		t.end = t.size // the whole comes, whatever was asked for
	}
	return nil
}

// ask asks for the first bytes; resume is what asks again after that.
func (t *transfer) ask(ctx context.Context, question func(*upstream.Client) (*upstream.Blob, error)) (*upstream.Blob, error) {
	if t.size < 0 {
		return ask(ctx, t.upstreams, question)
	}
	return askOnce(ctx, t.upstreams, question)
}

// usable refuses an answer that another upstream may better. One that refuses what it, or another, has sent a part of is
// in trouble, whatever it says.
func (t *transfer) usable(blob *upstream.Blob, err error) (*upstream.Blob, error) {
	if err != nil && t.size >= 0 && final(err) {
		return nil, errors.New("refusing the rest of a blob that was there: " + err.Error())
	}
	if err != nil {
		return nil, err
	}
	if err := t.refusal(blob); err != nil {
		return nil, errors.Join(err, blob.Body.Close())
	}
	return blob, nil
}

// refusal says what is wrong with an answer.
func (t *transfer) refusal(blob *upstream.Blob) error {
	switch {
	case blob.Size < 0:
		return errNoSize
	case t.size >= 0 && blob.Size != t.size:
		return fmt.Errorf("the blob had %d bytes, and now has %d", t.size, blob.Size)
	case t.expected > 0 && blob.Size != t.expected:
		return fmt.Errorf("the blob has %d bytes, and %d by the manifest that names it", blob.Size, t.expected)
	case t.onlyPart && !blob.Partial:
		return errNoParts
	default:
		return nil
	}
}

// length is what is left to be asked for; -1 for everything.
func (t *transfer) length() int64 {
	if t.end < 0 || t.end == t.size {
		return -1
	}
	return t.end - t.offset
}

// read returns the next bytes, io.EOF after the last.
func (t *transfer) read(ctx context.Context, p []byte) (int, error) {
	for t.offset < t.end {
		if t.body == nil {
			if err := t.resume(ctx); err != nil {
				return 0, err
			}
			continue
		}
		n, err := t.body.Read(p[:min(int64(len(p)), t.end-t.offset)])
		if err != nil {
			t.cut(err)
		}
		if n > 0 {
			t.offset += int64(n)
			t.tries, t.stalls = 0, 0
			t.mirror.Metrics.Received(t.from.Name(), int64(n))
			return n, nil
		}
	}
	return 0, io.EOF
}

// cut notes why no more comes. After a stall, which has cost enough, the other upstreams come first.
func (t *transfer) cut(cause error) {
	t.cause = errors.Join(cause, t.close())
	if upstream.IsStalled(cause) {
		t.stalls++
		t.turn()
	}
}

func (t *transfer) close() error {
	if t.body == nil {
		return nil
	}
	err := t.body.Close()
	t.body = nil
	return err
}

// resume asks for the rest, which may be everything. It returns nil when that failed and may be tried again.
func (t *transfer) resume(ctx context.Context) error {
	if t.tries == triesWithoutProgress || t.stalls == max(stallsWithoutProgress, len(t.upstreams)) {
		return distspec.Unavailable(fmt.Errorf("giving up at byte %d of %d: %w", t.offset, t.size, t.cause))
	}
	if t.tries == triesAtOneUpstream {
		t.turn()
	}
	if err := pause(ctx, delay(t.tries)); err != nil {
		return err
	}
	t.tries++
	if t.cause != nil {
		t.mirror.Logger.V(1).Info("transfer resumed", "hub", t.mirror.Hub, "digest", t.source.digest.String(), "offset", t.offset,
			"try", t.tries, "cause", t.cause.Error())
	}
	if err := t.open(ctx); err != nil {
		t.cause = err
		if errors.Is(err, errNoParts) {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return nil
}

// delay comes before a try; the first follows at once.
func delay(tries int) time.Duration {
	if tries == 0 {
		return 0
	}
	return firstDelay << (tries - 1)
}

func pause(ctx context.Context, d time.Duration) error {
	if d == 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// turn puts the first upstream behind the others.
func (t *transfer) turn() { t.upstreams = append(t.upstreams[1:], t.upstreams[0]) }
