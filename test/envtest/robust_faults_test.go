package envtest

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// fault is what becomes of a write of the manager's.
type fault int

const (
	// done: nothing is wrong.
	done fault = iota
	// unsent: the connection breaks before the API server has heard of it.
	unsent
	// unanswered: the API server does it, and the answer is lost.
	unanswered
	// conflicting: somebody else was faster, says the API server.
	conflicting
	// failing: the API server, or its etcd, has trouble.
	failing
	// fatal: the API server does it, and the manager dies before it hears of that.
	fatal
)

// faults stand between a manager and the API server. Reads pass, and so does all about the leader's Lease, even of a manager
// that has died: the next one is not to wait until the Lease is over.
type faults struct {
	// of says what becomes of a write, which is the n-th (from 1) of its verb to its object.
	of func(n int) fault
	// died is closed when the manager dies. Nothing that it still sends arrives anywhere.
	died chan struct{}

	mu      sync.Mutex
	counted map[string]int
	met     int
	failed  int
	dead    bool
}

var errBroken = errors.New("the connection is broken, says the test")

// between puts the faults between one of the manager's clients and the API server.
func (f *faults) between(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(request *http.Request) (*http.Response, error) { return f.send(next, request) })
}

type roundTripper func(request *http.Request) (*http.Response, error)

func (r roundTripper) RoundTrip(request *http.Request) (*http.Response, error) { return r(request) }

func (f *faults) send(next http.RoundTripper, request *http.Request) (*http.Response, error) {
	switch f.decide(request) {
	case unsent:
		return nil, errBroken
	case conflicting:
		return answer(request, http.StatusConflict, metav1.StatusReasonConflict)
	case failing:
		return answer(request, http.StatusInternalServerError, metav1.StatusReasonInternalError)
	case unanswered:
		return lose(next, request)
	case fatal:
		defer close(f.died)
		return lose(next, request)
	case done:
	}
	response, err := next.RoundTrip(request)
	if request.Context().Err() == nil && (err != nil || response.StatusCode >= http.StatusInternalServerError) {
		f.fail()
	}
	return response, err
}

func (f *faults) fail() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.failed++
}

func (f *faults) decide(request *http.Request) fault {
	if aboutTheLease(request.URL.Path) {
		return done
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.dead {
		return unsent
	}
	if request.Method == http.MethodGet {
		return done
	}
	what := request.Method + " " + request.URL.Path
	f.counted[what]++
	decided := f.of(f.counted[what])
	if decided != done {
		f.met++
	}
	f.dead = decided == fatal
	return decided
}

// meetings is how many writes met a fault.
func (f *faults) meetings() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.met
}

// failures is how many requests failed though they met no fault.
func (f *faults) failures() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.failed
}

// lose sends a request, and loses the answer.
func lose(next http.RoundTripper, request *http.Request) (*http.Response, error) {
	response, err := next.RoundTrip(request)
	if err == nil {
		_, _ = io.Copy(io.Discard, response.Body)
		_ = response.Body.Close()
	}
	return nil, errBroken
}

func answer(request *http.Request, code int, reason metav1.StatusReason) (*http.Response, error) {
	body, err := json.Marshal(metav1.Status{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}, Status: metav1.StatusFailure, Code: int32(code), Reason: reason, Message: "says the test",
	})
	return &http.Response{
		Request: request, StatusCode: code, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{"Content-Type": []string{"application/json"}}, Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)),
	}, err
}
