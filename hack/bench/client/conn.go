// Package client loads servers: it asks over connections that are kept, reads answers to their end, and throws the bytes
// away, at as little cost as it can, since it has the same processors as the server that is measured.
package client

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"
)

// bufferSize is how much of a body is read at once.
const bufferSize = 256 << 10

// Request is what is asked for.
type Request struct {
	// Method is GET where it is empty.
	Method string
	// Target is the path, and the query where there is one.
	Target string
	// First and Last byte, where Last is not 0.
	First, Last int64
}

func (r Request) wire(host string) []byte {
	method := r.Method
	if method == "" {
		method = "GET"
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: bench\r\n", method, r.Target, host)
	b.WriteString("Accept: application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json, */*\r\n")
	if r.Last > 0 {
		fmt.Fprintf(&b, "Range: bytes=%d-%d\r\n", r.First, r.Last)
	}
	b.WriteString("\r\n")
	return b.Bytes()
}

// Answer is what came.
type Answer struct {
	Status int
	// Bytes of the body that were read.
	Bytes int64
	// Header and End are when the header, and the last byte, had been read, after the request.
	Header, End time.Duration
}

// Conn is a connection to a server. It is used by one goroutine at a time.
type Conn struct {
	net.Conn

	address string
	reader  *bufio.Reader
	buffer  []byte
}

// Dial connects to an address, over TLS where there are roots to trust.
func Dial(ctx context.Context, address string, roots *x509.CertPool) (*Conn, error) {
	connection, err := dialer(roots).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("connecting to the server that is measured: %w", err)
	}
	return &Conn{
		Conn: connection, address: address,
		reader: bufio.NewReaderSize(connection, 8<<10), buffer: make([]byte, bufferSize),
	}, nil
}

func dialer(roots *x509.CertPool) interface {
	DialContext(ctx context.Context, network, address string) (net.Conn, error)
} {
	if roots == nil {
		return &net.Dialer{}
	}
	return &tls.Dialer{Config: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS13}}
}

// Ask asks and reads the answer to its end. An answer other than 200 and 206 is an error.
func (c *Conn) Ask(request Request) (Answer, error) {
	return c.ask(request.wire(c.address), request.Method == http.MethodHead, func(Answer, int) error { return nil })
}

// Taken is told what an answer came to so far, and how many bytes were read just now. The answer ends with its error.
type Taken func(so Answer, n int) error

// AskSlowly is Ask, but calls taken whenever bytes were read, before more is read.
func (c *Conn) AskSlowly(request Request, taken Taken) (Answer, error) {
	return c.ask(request.wire(c.address), request.Method == http.MethodHead, taken)
}

func (c *Conn) ask(wire []byte, head bool, taken Taken) (Answer, error) {
	began := time.Now()
	if _, err := c.Write(wire); err != nil {
		return Answer{}, err
	}
	status, length, err := c.header()
	answer := Answer{Status: status, Header: time.Since(began)}
	if err == nil && !head {
		err = c.body(&answer, length, taken)
	}
	answer.End = time.Since(began)
	if err == nil && status != 200 && status != 206 {
		err = fmt.Errorf("the server answered %d to %.120q", status, wire)
	}
	return answer, err
}

func (c *Conn) body(answer *Answer, length int64, taken Taken) error {
	for answer.Bytes < length {
		var source io.Reader = c.Conn
		if c.reader.Buffered() > 0 {
			source = c.reader
		}
		n, err := source.Read(c.buffer[:min(length-answer.Bytes, bufferSize)])
		answer.Bytes += int64(n)
		if err != nil {
			return fmt.Errorf("reading byte %d of %d of the body: %w", answer.Bytes, length, err)
		}
		if err := taken(*answer, n); err != nil {
			return err
		}
	}
	return nil
}

var errLength = errors.New("the answer has no Content-Length")

// header reads the status and the length of the body.
func (c *Conn) header() (status int, length int64, err error) {
	line, err := c.reader.ReadSlice('\n')
	if err != nil {
		return 0, 0, err
	}
	status, err = parseStatus(line)
	length = -1
	for err == nil {
		line, err = c.reader.ReadSlice('\n')
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			break
		}
		if found := parseLength(line); found >= 0 {
			length = found
		}
	}
	if err == nil && length < 0 {
		err = errLength
	}
	return status, length, err
}

func parseStatus(line []byte) (int, error) {
	fields := bytes.Fields(line)
	if len(fields) < 2 || !bytes.HasPrefix(line, []byte("HTTP/1.1 ")) {
		return 0, fmt.Errorf("reading a status line: got %.40q", line)
	}
	return strconv.Atoi(string(fields[1]))
}

// parseLength returns the value of a Content-Length line, and -1 for any other.
func parseLength(line []byte) int64 {
	const name = "content-length:"
	if len(line) < len(name) || !bytes.EqualFold(line[:len(name)], []byte(name)) {
		return -1
	}
	length, err := strconv.ParseInt(string(bytes.TrimSpace(line[len(name):])), 10, 64)
	if err != nil {
		return -1
	}
	return length
}
