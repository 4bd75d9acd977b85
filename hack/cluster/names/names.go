// Package names is the test cluster's DNS: it answers from a hosts file, which tests add names to, and
// for the ClusterIPs of Services.
package names

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"

	"golang.org/x/net/dns/dnsmessage"
)

// ttl is short, for tests change names.
const ttl = 1

// Resolver finds the address of a name; ok is false for a name that does not exist.
type Resolver func(ctx context.Context, asked Question) (address netip.Addr, ok bool)

// Question is what was asked, and by whom.
type Question struct {
	// Name has no dot at its end.
	Name string
	// From is the address of the one who asks.
	From netip.Addr
}

// Either resolves by the first of resolvers that knows a name.
func Either(resolvers ...Resolver) Resolver {
	return func(ctx context.Context, asked Question) (netip.Addr, bool) {
		for _, resolve := range resolvers {
			if address, ok := resolve(ctx, asked); ok {
				return address, true
			}
		}
		return netip.Addr{}, false
	}
}

// Services resolves NAME.NAMESPACE.svc.cluster.local to the Service's ClusterIP, for those who are in the
// network of the pods: nodes do not use the cluster's DNS, and what works here must not rely on it.
func Services(pods netip.Prefix, clusterIP func(ctx context.Context, namespace, name string) (string, error)) Resolver {
	return func(ctx context.Context, asked Question) (netip.Addr, bool) {
		service, ok := strings.CutSuffix(strings.ToLower(asked.Name), ".svc.cluster.local")
		parts := strings.Split(service, ".")
		if !ok || len(parts) != 2 || !pods.Contains(asked.From) {
			return netip.Addr{}, false
		}
		found, err := clusterIP(ctx, parts[1], parts[0])
		if err != nil {
			return netip.Addr{}, false
		}
		address, err := netip.ParseAddr(found)
		return address, err == nil
	}
}

// HostsFile resolves names by a hosts file, which is read anew each time. The last line that has a
// name counts.
func HostsFile(file string) Resolver {
	return func(_ context.Context, asked Question) (netip.Addr, bool) {
		content, err := os.ReadFile(file)
		if err != nil {
			return netip.Addr{}, false
		}
		return lookUp(string(content), asked.Name)
	}
}

func lookUp(hosts, name string) (found netip.Addr, ok bool) {
	for _, line := range strings.Split(hosts, "\n") {
		line, _, _ = strings.Cut(line, "#")
		fields := strings.Fields(line)
		if len(fields) < 2 {
			continue
		}
		address, err := netip.ParseAddr(fields[0])
		if err != nil || !address.Is4() {
			continue
		}
		for _, field := range fields[1:] {
			if strings.EqualFold(field, name) {
				found, ok = address, true
			}
		}
	}
	return found, ok
}

// Serve answers questions that arrive at connection until ctx ends.
func Serve(ctx context.Context, connection net.PacketConn, resolve Resolver) error {
	stop := context.AfterFunc(ctx, func() { _ = connection.Close() })
	defer stop()
	buffer := make([]byte, 4096)
	for {
		size, from, err := connection.ReadFrom(buffer)
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("receiving questions: %w", err)
		}
		if reply, err := answer(ctx, buffer[:size], addressOf(from), resolve); err == nil {
			// A reply that is lost is asked for again.
			_, _ = connection.WriteTo(reply, from)
		}
	}
}

// addressOf returns the address of a peer, the zero one if it has none.
func addressOf(peer net.Addr) netip.Addr {
	port, err := netip.ParseAddrPort(peer.String())
	if err != nil {
		return netip.Addr{}
	}
	return port.Addr().Unmap()
}

// answer returns the reply to one message.
func answer(ctx context.Context, message []byte, from netip.Addr, resolve Resolver) ([]byte, error) {
	var parser dnsmessage.Parser
	header, err := parser.Start(message)
	if err != nil {
		return nil, fmt.Errorf("parsing a question: %w", err)
	}
	question, err := parser.Question()
	if err != nil {
		return nil, fmt.Errorf("parsing a question: %w", err)
	}
	address, found := resolve(ctx, Question{Name: strings.TrimSuffix(question.Name.String(), "."), From: from})
	reply := dnsmessage.Message{
		Header: dnsmessage.Header{
			ID: header.ID, Response: true, Authoritative: true,
			RecursionDesired: header.RecursionDesired, RecursionAvailable: true,
		},
		Questions: []dnsmessage.Question{question},
	}
	switch {
	case !found:
		reply.RCode = dnsmessage.RCodeNameError
	case question.Type == dnsmessage.TypeA:
		reply.Answers = []dnsmessage.Resource{{
			Header: dnsmessage.ResourceHeader{Name: question.Name, Class: dnsmessage.ClassINET, TTL: ttl},
			Body:   &dnsmessage.AResource{A: address.As4()},
		}}
	}
	return reply.Pack()
}
