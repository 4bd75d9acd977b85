package client

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Load is a number of clients that each ask for the same again and again.
type Load struct {
	// Address of the server.
	Address string
	// Roots to trust; nil: without TLS.
	Roots   *x509.CertPool
	Request Request
	// Clients, each with a connection that it keeps.
	Clients int
	// For is how long they ask. What is under way then is cut, and counts as far as it came.
	For time.Duration
}

// Outcome of a Load.
type Outcome struct {
	// Requests that were answered to their end, and the Bytes of all bodies.
	Requests, Bytes int64
	Elapsed         time.Duration
	// Times of the requests, sorted.
	Times []time.Duration
}

// Run asks. Begun is called when all connections are there and have been used once, before what counts, and ended after it.
func (l Load) Run(ctx context.Context, begun, ended func() error) (Outcome, error) {
	connections, err := l.connect(ctx)
	if err != nil {
		return Outcome{}, err
	}
	defer func() {
		for _, connection := range connections {
			_ = connection.Close()
		}
	}()
	if err := begun(); err != nil {
		return Outcome{}, err
	}
	outcome, err := l.ask(connections)
	return outcome, errors.Join(err, ended())
}

func (l Load) connect(ctx context.Context) ([]*Conn, error) {
	var connections []*Conn
	for range l.Clients {
		connection, err := Dial(ctx, l.Address, l.Roots)
		if err == nil {
			connections = append(connections, connection)
			_, err = connection.Ask(Request{Method: "HEAD", Target: l.Request.Target})
		}
		if err != nil {
			return connections, fmt.Errorf("asking for the first time: %w", err)
		}
	}
	return connections, nil
}

func (l Load) ask(connections []*Conn) (Outcome, error) {
	var outcome Outcome
	var mu sync.Mutex
	var errs error
	var clients sync.WaitGroup
	var over atomic.Bool
	began := time.Now()
	timer := time.AfterFunc(l.For, func() {
		over.Store(true)
		for _, connection := range connections {
			_ = connection.SetDeadline(time.Unix(1, 0))
		}
	})
	defer timer.Stop()
	for _, connection := range connections {
		clients.Go(func() {
			one, err := l.repeat(connection, &over)
			mu.Lock()
			defer mu.Unlock()
			outcome.Bytes += one.Bytes
			outcome.Times = append(outcome.Times, one.Times...)
			errs = errors.Join(errs, err)
		})
	}
	clients.Wait()
	outcome.Elapsed = time.Since(began)
	outcome.Requests = int64(len(outcome.Times))
	slices.Sort(outcome.Times)
	return outcome, errs
}

func (l Load) repeat(connection *Conn, over *atomic.Bool) (Outcome, error) {
	var outcome Outcome
	wire, head := l.Request.wire(l.Address), l.Request.Method == http.MethodHead
	nothing := func(Answer, int) error { return nil }
	for {
		answer, err := connection.ask(wire, head, nothing)
		outcome.Bytes += answer.Bytes
		switch {
		case over.Load():
			return outcome, nil
		case err != nil:
			return outcome, err
		}
		outcome.Times = append(outcome.Times, answer.End)
	}
}
