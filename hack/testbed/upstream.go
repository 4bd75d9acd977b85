package testbed

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"os"

	"github.com/registryhub/registryhub/hack/cluster/pki"
	"github.com/registryhub/registryhub/hack/upstream"
)

// UpstreamPort is where upstreams listen, so that references need no port.
const UpstreamPort = "443"

// StartUpstream starts a real registry that keeps its data in a directory, answers at this machine's address on
// the cluster's network with a certificate that every node trusts, and is known to nodes and Pods by the names.
func (b *Bed) StartUpstream(ctx context.Context, directory string, names ...string) (*upstream.Registry, error) {
	certificate, err := b.leaf(names)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if _, err := b.output(ctx, "", b.tool(), "name", name, b.Address); err != nil {
			return nil, err
		}
	}
	if err := os.MkdirAll(directory, 0o755); err != nil {
		return nil, fmt.Errorf("making the upstream's directory: %w", err)
	}
	return upstream.Start(ctx, upstream.Options{
		Directory:      directory,
		CacheDirectory: b.Cache(),
		Address:        net.JoinHostPort(b.Address, UpstreamPort),
		Certificate:    certificate,
	})
}

func (b *Bed) leaf(names []string) (tls.Certificate, error) {
	authority, err := pki.ReadAuthority(b.CAFile, b.CAKeyFile)
	if err != nil {
		return tls.Certificate{}, err
	}
	leaf, err := authority.Issue(pki.Leaf{CommonName: "upstream", Hosts: append([]string{b.Address}, names...)})
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.X509KeyPair(leaf.Certificate, leaf.Key)
}

// CABundle is a ConfigMap manifest in the operator's namespace that holds the authority of upstreams, under the
// key ca.crt.
func (b *Bed) CABundle(name string) (string, error) {
	certificate, err := os.ReadFile(b.CAFile)
	if err != nil {
		return "", fmt.Errorf("reading the test authority: %w", err)
	}
	return fmt.Sprintf("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s, namespace: %s}\ndata: {ca.crt: %q}\n",
		name, Namespace, certificate), nil
}
