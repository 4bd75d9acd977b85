package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"runtime"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/registryhub/registryhub/hack/cluster/pki"
	"github.com/registryhub/registryhub/hack/cluster/plan"
	"github.com/registryhub/registryhub/hack/image/scratch"
)

// pullHost is the name that the smoke test's registry has on the nodes.
const pullHost = "registry.smoke.test"

// pullFromMachine checks that every node's kubelet pulls from a TLS registry on this machine, by a name
// that was added, trusting the test authority.
func (t *smokeTest) pullFromMachine(ctx context.Context) error {
	listener, stop, err := serveRegistry()
	if err != nil {
		return err
	}
	defer stop()
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		return fmt.Errorf("reading where the registry listens: %w", err)
	}
	if err := t.push(ctx, net.JoinHostPort(plan.HostAddress, port)); err != nil {
		return err
	}
	if err := addName(ctx, []string{pullHost, plan.HostAddress}); err != nil {
		return err
	}
	for _, node := range t.nodes() {
		if err := t.apply(ctx, pullingPod(node.Name, net.JoinHostPort(pullHost, port)+"/probe:1")); err != nil {
			return err
		}
		if err := t.run(ctx, "wait", "--for=condition=Ready", "pod/pulled-"+node.Name, "--namespace="+smokeNamespace, "--timeout=60s"); err != nil {
			return err
		}
	}
	step("every node pulled from a TLS registry at %s, called %s", plan.HostAddress, pullHost)
	return nil
}

// serveRegistry starts a registry at the machine's address, with a certificate of the test authority.
func serveRegistry() (net.Listener, func(), error) {
	certificate, err := testCertificate()
	if err != nil {
		return nil, nil, err
	}
	settings := &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}
	listener, err := tls.Listen("tcp", net.JoinHostPort(plan.HostAddress, "0"), settings)
	if err != nil {
		return nil, nil, fmt.Errorf("listening at the machine's address: %w", err)
	}
	server := &http.Server{
		Handler:           registry.New(registry.Logger(log.New(io.Discard, "", 0))),
		ReadHeaderTimeout: 10 * time.Second,
		ErrorLog:          log.New(io.Discard, "", 0),
	}
	go func() { _ = server.Serve(listener) }()
	return listener, func() { _ = server.Close() }, nil
}

// testCertificate issues a certificate the way a test does: from the files that status names.
func testCertificate() (tls.Certificate, error) {
	authority, err := pki.Load(path("test-ca"))
	if err != nil {
		return tls.Certificate{}, err
	}
	pair, err := authority.Issue(pki.Leaf{CommonName: pullHost, Hosts: []string{pullHost, plan.HostAddress}})
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.X509KeyPair(pair.Certificate, pair.Key)
}

func (t *smokeTest) push(ctx context.Context, host string) error {
	// At another path, so that it is another image than the one that was loaded: kubelet does not let
	// pods use an image that it has pulled under a name that it has not pulled it by.
	image, err := scratch.Image(scratch.Spec{Binary: t.binary, Path: "/pulled", User: scratch.NonRoot, Architecture: runtime.GOARCH})
	if err != nil {
		return err
	}
	reference, err := name.ParseReference(host + "/probe:1")
	if err != nil {
		return fmt.Errorf("naming the image to push: %w", err)
	}
	roots, err := pki.Pool(path("test-ca.pem"))
	if err != nil {
		return err
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}
	defer transport.CloseIdleConnections()
	if err := remote.Write(reference, image, remote.WithContext(ctx), remote.WithTransport(transport)); err != nil {
		return fmt.Errorf("pushing the probe's image: %w", err)
	}
	return nil
}
