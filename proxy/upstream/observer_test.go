package upstream

import (
	"sync"
	"testing"
	"time"

	config "github.com/registryhub/registryhub/api/config/v1alpha1"
)

// telltale keeps what an observer is told.
type telltale struct {
	mu        sync.Mutex
	isUp      bool
	limit     int64
	remaining int64
	refused   []error
}

func (o *telltale) UpstreamUp(_ string, up bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.isUp = up
}

func (o *telltale) UpstreamRateLimit(_ string, limit, remaining int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.limit, o.remaining = limit, remaining
}

func (o *telltale) UpstreamFilesRefused(_ string, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.refused = append(o.refused, err)
}

func (o *telltale) up() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.isUp
}

func (o *telltale) limits() (limit, remaining int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.limit, o.remaining
}

func (o *telltale) refusals() []error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]error(nil), o.refused...)
}

func observed(t *testing.T, url string, timeouts Timeouts, told Observer, edit ...func(*config.UpstreamConfiguration)) *Client {
	t.Helper()
	cfg := config.UpstreamConfiguration{Name: "test", URL: url}
	for _, f := range edit {
		f(&cfg)
	}
	c, err := New(cfg, timeouts, told)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	c.Announce()
	return c
}

// patience is how long a test waits for what must happen.
const patience = 20 * time.Second

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline, again := time.After(patience), time.NewTicker(time.Millisecond)
	defer again.Stop()
	for !ok() {
		select {
		case <-again.C:
		case <-deadline:
			t.Fatalf("waited %s in vain: %s", patience, what)
		}
	}
}
