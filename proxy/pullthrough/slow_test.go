package pullthrough_test

import (
	"io"
	"net/http"
	"sync"
	"testing"

	"github.com/registryhub/registryhub/proxy/pullthrough"
)

// slowly is the header of a request whose client takes nothing until it is woken.
const slowly = "Test-Slowly"

type slow struct {
	// stuck is closed when there is something that the client does not take.
	stuck, woken chan struct{}
	sleep, wake  func()
}

func newSlow() *slow {
	s := &slow{stuck: make(chan struct{}), woken: make(chan struct{})}
	s.sleep = sync.OnceFunc(func() { close(s.stuck) })
	s.wake = sync.OnceFunc(func() { close(s.woken) })
	return s
}

func (s *slow) handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get(slowly) != "" {
			w = slowWriter{w, s}
		}
		next.ServeHTTP(w, r)
	})
}

type slowWriter struct {
	http.ResponseWriter
	*slow
}

func (w slowWriter) Write(p []byte) (int, error) {
	w.sleep()
	<-w.woken
	return w.ResponseWriter.Write(p)
}

func (w slowWriter) ReadFrom(src io.Reader) (int64, error) {
	w.sleep()
	<-w.woken
	return io.Copy(w.ResponseWriter, src)
}

func (w slowWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func TestReaderThatTakesNothingOfAColdBlobHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	for name, parts := range map[string]pullthrough.Segments{"one transfer": {}, "segments": segments} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o, slow, g := newOrigin(t), newSlow(), newGate(100<<10)
			img := o.pushImage(t, "team/app", "1", 20*step)
			r := start(t, setup{upstreams: []string{o.URL}, segments: parts, handler: slow.handler})
			t.Cleanup(g.release)
			t.Cleanup(slow.wake)
			o.fail(g.fault)
			path := "team/app/blobs/" + img.layer.String()
			got := make(chan reply, 1)
			go func() { got <- r.get(t, path, slowly, "yes") }()
			<-slow.stuck
			g.release()
			r.promptly(t, path).want(t, http.StatusOK, img.content)
			r.settle(t, img.layer)
			select {
			case <-got:
				t.Fatal("the slow reader has ended, so that it held nobody up")
			default:
			}
			slow.wake()
			(<-got).want(t, http.StatusOK, img.content)
		})
	}
}
