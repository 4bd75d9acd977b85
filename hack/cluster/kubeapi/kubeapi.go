// Package kubeapi is the little that the cluster command itself asks of the API server. It is not
// client-go, so that the command builds in seconds.
package kubeapi

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/registryhub/registryhub/hack/cluster/pki"
)

// answerLimit bounds what is read of an answer.
const answerLimit = 16 << 20

// ErrNotFound says that there is no such object.
var ErrNotFound = errors.New("not found")

// Credentials are the files that a client of the API server needs.
type Credentials struct {
	// Authority is the certificate of the cluster's authority.
	Authority string
	// Certificate and Key are the client's.
	Certificate, Key string
}

// Client talks to one API server, without a proxy.
type Client struct {
	server string
	client *http.Client
}

// New returns a client of the API server at a URL.
func New(server string, credentials Credentials) (*Client, error) {
	certificate, err := tls.LoadX509KeyPair(credentials.Certificate, credentials.Key)
	if err != nil {
		return nil, fmt.Errorf("loading a client certificate: %w", err)
	}
	roots, err := pki.Pool(credentials.Authority)
	if err != nil {
		return nil, err
	}
	settings := &tls.Config{Certificates: []tls.Certificate{certificate}, RootCAs: roots, MinVersion: tls.VersionTLS12}
	return &Client{server: server, client: &http.Client{Transport: &http.Transport{TLSClientConfig: settings}}}, nil
}

// Get decodes what is at an API path into target, if that is not nil.
func (c *Client) Get(ctx context.Context, path string, target any) error {
	return c.do(ctx, http.MethodGet, path, nil, target)
}

// Create posts an object to the API path of its collection.
func (c *Client) Create(ctx context.Context, path string, object any) error {
	return c.do(ctx, http.MethodPost, path, object, nil)
}

// Patch changes the fields of the object at an API path that are in change, a JSON merge patch.
func (c *Client) Patch(ctx context.Context, path string, change any) error {
	return c.do(ctx, http.MethodPatch, path, change, nil)
}

// Delete removes the object at an API path.
func (c *Client) Delete(ctx context.Context, path string) error {
	return c.do(ctx, http.MethodDelete, path, nil, nil)
}

func (c *Client) do(ctx context.Context, method, path string, body, target any) error {
	request, err := c.request(ctx, method, path, body)
	if err != nil {
		return err
	}
	answer, err := c.client.Do(request)
	if err != nil {
		return fmt.Errorf("asking the API server: %w", err)
	}
	defer func() { _ = answer.Body.Close() }()
	content, err := io.ReadAll(io.LimitReader(answer.Body, answerLimit))
	if err != nil {
		return fmt.Errorf("reading the API server's answer: %w", err)
	}
	if err := fault(request, answer, content); err != nil || target == nil {
		return err
	}
	if err := json.Unmarshal(content, target); err != nil {
		return fmt.Errorf("decoding the API server's answer to %s %s: %w", method, path, err)
	}
	return nil
}

func (c *Client) request(ctx context.Context, method, path string, body any) (*http.Request, error) {
	var content bytes.Buffer
	if body != nil {
		if err := json.NewEncoder(&content).Encode(body); err != nil {
			return nil, fmt.Errorf("encoding an object for the API server: %w", err)
		}
	}
	request, err := http.NewRequestWithContext(ctx, method, c.server+path, &content)
	if err != nil {
		return nil, fmt.Errorf("asking the API server: %w", err)
	}
	contentType := "application/json"
	if method == http.MethodPatch {
		contentType = "application/merge-patch+json"
	}
	request.Header.Set("Content-Type", contentType)
	return request, nil
}

// fault returns the error that an answer stands for, if any.
func fault(request *http.Request, answer *http.Response, content []byte) error {
	switch {
	case answer.StatusCode == http.StatusNotFound:
		return fmt.Errorf("%s: %w", request.URL.Path, ErrNotFound)
	case answer.StatusCode >= http.StatusMultipleChoices:
		var said struct{ Message string }
		// What is no Status object has no message to show.
		_ = json.Unmarshal(content, &said)
		return fmt.Errorf("the API server answers %s %s with %s: %s", request.Method, request.URL.Path, answer.Status, said.Message)
	default:
		return nil
	}
}

// Ready says what is wrong if the API server is not ready.
func (c *Client) Ready(ctx context.Context) error { return c.Get(ctx, "/readyz", nil) }

// NodeReady says what is wrong if the node called name is not Ready.
func (c *Client) NodeReady(ctx context.Context, name string) error {
	var node struct {
		Status struct {
			Conditions []struct{ Type, Status, Message string }
		}
	}
	if err := c.Get(ctx, "/api/v1/nodes/"+name, &node); err != nil {
		return err
	}
	for _, condition := range node.Status.Conditions {
		if condition.Type == "Ready" && condition.Status != "True" {
			return fmt.Errorf("node %s is not Ready: %s", name, condition.Message)
		}
		if condition.Type == "Ready" {
			return nil
		}
	}
	return fmt.Errorf("node %s has not said yet whether it is Ready", name)
}

// ClusterIP returns the address of a Service, empty or "None" if it has none.
func (c *Client) ClusterIP(ctx context.Context, namespace, name string) (string, error) {
	var service struct {
		Spec struct{ ClusterIP string }
	}
	err := c.Get(ctx, "/api/v1/namespaces/"+namespace+"/services/"+name, &service)
	return service.Spec.ClusterIP, err
}
