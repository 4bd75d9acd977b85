package origin

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// controlPath is outside the distribution API.
const controlPath = "/control"

// Speed is how slow an Origin is to be.
type Speed struct {
	// Rate in bytes a second of each connection; 0 is as fast as it goes.
	Rate int64 `json:"rate"`
	// Latency before each answer.
	Latency time.Duration `json:"latency"`
}

// Count is what an Origin was asked for, and sent, of one object.
type Count struct {
	Requests int64 `json:"requests"`
	Bytes    int64 `json:"bytes"`
}

// Counts are by the object's path.
type Counts map[string]Count

// Bytes of all objects.
func (c Counts) Bytes() int64 {
	var sum int64
	for _, each := range c {
		sum += each.Bytes
	}
	return sum
}

// Requests of all objects.
func (c Counts) Requests() int64 {
	var sum int64
	for _, each := range c {
		sum += each.Requests
	}
	return sum
}

// tally counts.
type tally struct {
	mu       sync.Mutex
	requests map[string]int64
	sent     map[string]*atomic.Int64
}

func (t *tally) Reset() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.requests, t.sent = map[string]int64{}, map[string]*atomic.Int64{}
}

func (t *tally) Request(name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.requests[name]++
}

func (t *tally) Sent(name string) *atomic.Int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.sent[name] == nil {
		t.sent[name] = new(atomic.Int64)
	}
	return t.sent[name]
}

func (t *tally) Counts() Counts {
	t.mu.Lock()
	defer t.mu.Unlock()
	counts := Counts{}
	for name, requests := range t.requests {
		counts[name] = Count{Requests: requests}
	}
	for name, sent := range t.sent {
		counts[name] = Count{Requests: counts[name].Requests, Bytes: sent.Load()}
	}
	return counts
}

// control answers GET with the counts, and POST by taking a Speed and counting from nothing.
func (o *Origin) control(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodPost {
		var speed Speed
		if err := json.NewDecoder(r.Body).Decode(&speed); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		o.pace.rate.Store(speed.Rate)
		o.pace.latency.Store(int64(speed.Latency))
		o.tally.Reset()
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(o.tally.Counts())
}

// Remote is an Origin in another process.
type Remote struct {
	// Address is host:port.
	Address string

	client http.Client
}

// Set makes it so fast, and has it count from nothing.
func (r *Remote) Set(ctx context.Context, speed Speed) error {
	_, err := r.ask(ctx, http.MethodPost, speed)
	return err
}

// Counts since Set.
func (r *Remote) Counts(ctx context.Context) (Counts, error) { return r.ask(ctx, http.MethodGet, nil) }

func (r *Remote) ask(ctx context.Context, method string, body any) (Counts, error) {
	reader, err := asJSON(body)
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, method, "http://"+r.Address+controlPath, reader)
	if err != nil {
		return nil, err
	}
	response, err := r.client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("asking the synthetic upstream: %w", err)
	}
	defer response.Body.Close()
	var counts Counts
	if err := json.NewDecoder(response.Body).Decode(&counts); err != nil {
		return nil, fmt.Errorf("asking the synthetic upstream (status %d): %w", response.StatusCode, err)
	}
	return counts, nil
}

func asJSON(body any) (io.Reader, error) {
	data, err := json.Marshal(body)
	return bytes.NewReader(data), err
}
