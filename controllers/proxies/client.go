package proxies

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
)

const (
	// askTimeout bounds an asking as a whole. Who does not answer within it is asked again.
	askTimeout = 3 * time.Second
	// maxAnswer is the most bytes of an answer, and of its header, that are read: a report has a reason of 1024 bytes, up to ten of 256
	// with their images, and figures of 16 upstreams.
	maxAnswer = 64 << 10
)

// Client asks proxies for their reports. A Pod is believed no more than anybody: answers are bounded, redirects are not
// followed, and nothing but the address decides who is asked.
type Client struct{ http *http.Client }

// NewClient makes a Client. It keeps no connections: a proxy is asked about once a minute.
func NewClient() *Client {
	return &Client{http: &http.Client{
		Timeout:       askTimeout,
		Transport:     &http.Transport{DisableKeepAlives: true, MaxResponseHeaderBytes: maxAnswer},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// AskError says why a proxy could not be asked.
type AskError struct {
	// Problem is what a person reads: the same words whichever Pod it is, and whenever.
	Problem string
	// Err is the cause, with the Pod's address; nil when there is nothing to add.
	Err error
}

// Error is the problem and its cause.
func (e *AskError) Error() string {
	if e.Err == nil {
		return e.Problem
	}
	return e.Problem + ": " + e.Err.Error()
}

// Unwrap gives the cause.
func (e *AskError) Unwrap() error { return e.Err }

// Ask asks the proxy whose diagnostics are at an address, host:port. The error is an *AskError.
func (c *Client) Ask(ctx context.Context, address string) (configv1alpha1.ProxyReport, error) {
	var report configv1alpha1.ProxyReport
	body, err := c.get(ctx, "http://"+address+configv1alpha1.ReportPath)
	if err != nil {
		return report, err
	}
	if err := json.Unmarshal(body, &report); err != nil || report.InForce == "" {
		return configv1alpha1.ProxyReport{}, &AskError{Problem: "its answer is no report", Err: err}
	}
	return report, nil
}

func (c *Client) get(ctx context.Context, url string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return nil, &AskError{Problem: "its address is none", Err: err}
	}
	response, err := c.http.Do(request)
	if err != nil {
		return nil, &AskError{Problem: "it does not answer", Err: err}
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, &AskError{Problem: fmt.Sprintf("it answers %d", response.StatusCode)}
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	switch {
	case err != nil:
		return nil, &AskError{Problem: "its answer breaks off", Err: err}
	case len(body) > maxAnswer:
		return nil, &AskError{Problem: fmt.Sprintf("its answer has more than %d bytes", maxAnswer)}
	}
	return body, nil
}
