package origin

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync/atomic"
	"time"
)

// slice is how often a throttled connection is given its next bytes.
const slice = 4 * time.Millisecond

// pace is how slow the upstream is.
type pace struct {
	// rate in bytes a second of each connection, 0 for as fast as it goes.
	rate atomic.Int64
	// latency before each answer, in nanoseconds.
	latency atomic.Int64
}

func (p *pace) wait(ctx context.Context) bool { return pause(ctx, time.Duration(p.latency.Load())) }

func pause(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// sender counts what is sent, and holds it to a rate. Files go out by sendfile(2) all the same.
type sender struct {
	http.ResponseWriter

	ctx  context.Context //nolint:containedctx // it is the request's, and http.ServeContent passes none on
	sent *atomic.Int64
	rate int64
}

// ReadFrom implements io.ReaderFrom.
func (s *sender) ReadFrom(src io.Reader) (int64, error) {
	limited, ok := src.(*io.LimitedReader)
	switch {
	case !ok:
		return 0, errors.New("only http.ServeContent sends here, and it says how much")
	case s.rate == 0:
		return s.counted(limited.N, func() (int64, error) { return io.Copy(s.ResponseWriter, limited) })
	}
	return s.slowly(limited)
}

// counted counts before it sends, and takes back what did not go: who has read all of a body finds all of it counted.
func (s *sender) counted(size int64, send func() (int64, error)) (int64, error) {
	s.sent.Add(size)
	n, err := send()
	s.sent.Add(n - size)
	return n, err
}

func (s *sender) slowly(src *io.LimitedReader) (int64, error) {
	began, portion := time.Now(), max(s.rate*int64(slice)/int64(time.Second), 16<<10)
	for total := int64(0); ; {
		next := min(portion, src.N-total)
		n, err := s.counted(next, func() (int64, error) { return io.CopyN(s.ResponseWriter, src.R, next) })
		total += n
		if err != nil || total == src.N {
			return total, err
		}
		if err := http.NewResponseController(s.ResponseWriter).Flush(); err != nil {
			return total, err
		}
		due := began.Add(time.Duration(float64(total) / float64(s.rate) * float64(time.Second)))
		if !pause(s.ctx, time.Until(due)) {
			return total, s.ctx.Err()
		}
	}
}
