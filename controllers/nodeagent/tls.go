package nodeagent

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"

	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/controllers/nodeagent/certsd"
	"github.com/registryhub/registryhub/controllers/nodeagent/hoststoml"
	"github.com/registryhub/registryhub/controllers/nodeagent/probe"
	"github.com/registryhub/registryhub/controllers/nodeagent/tlsfiles"
)

// errNoClientCertificate is why a host is not wired whose hub would let nobody of this node in.
var errNoClientCertificate = errors.New("the hub lets in only who shows the nodes' client certificate, and the agent does not have it yet: " +
	"Secret " + configv1alpha1.NodeClientSecretName + " reaches it within two minutes after the operator has made it")

// nodeTLS is what this node trusts hubs by, and what it shows them: in files for containerd, and in memory for the prober,
// which asks as containerd would.
type nodeTLS struct {
	store     *tlsfiles.Store
	directory string
	log       logr.Logger

	mu       sync.Mutex
	material tlsfiles.Material
	// own are the bundles of the hubs that have one of their own, and asked how hubs with each bundle are asked, "" for none.
	own   map[string]string
	asked map[string]asking
}

// asking is how hubs are asked, or why they cannot be.
type asking struct {
	config *tls.Config
	err    error
}

func newNodeTLS(options Options, log logr.Logger) *nodeTLS {
	return &nodeTLS{store: tlsfiles.New(options.RunDirectory, time.Now), directory: options.ClientCertificateDirectory, log: log}
}

// tlsPaths are the files that hosts.toml files are to name, or why they could not be written.
type tlsPaths struct {
	tlsfiles.Paths
	// own are the files of bundles for single hubs, by the bundle.
	own map[string]string
	err error
}

// write makes the files for a configuration, and the prober ask with the same.
func (n *nodeTLS) write(configuration *configv1alpha1.NodeConfiguration) tlsPaths {
	n.mu.Lock()
	defer n.mu.Unlock()
	next := tlsfiles.Material{CA: []byte(configuration.CABundle)}
	if asksForCertificate(configuration) {
		next.Certificate, next.Key = n.pair()
	}
	if !same(n.material, next) {
		n.material, n.asked = next, nil
	}
	n.own = ownBundles(configuration)
	n.prepare()
	return n.files()
}

func ownBundles(configuration *configv1alpha1.NodeConfiguration) map[string]string {
	own := map[string]string{}
	for _, hub := range configuration.Hubs {
		if hub.CABundle != "" {
			own[hub.Name] = hub.CABundle
		}
	}
	return own
}

// prepare makes what hubs are asked with, and keeps what has not changed: sessions are resumed by it.
func (n *nodeTLS) prepare() {
	asked := map[string]asking{}
	for _, bundle := range append(slices.Collect(maps.Values(n.own)), "") {
		kept, there := n.asked[bundle]
		if !there {
			kept.config, kept.err = tlsConfig(n.trusting(bundle))
		}
		asked[bundle] = kept
	}
	n.asked = asked
}

// trusting is the material for hubs with a bundle of their own.
func (n *nodeTLS) trusting(bundle string) tlsfiles.Material {
	material := n.material
	if bundle != "" {
		material.CA = slices.Concat(bytes.TrimSpace(material.CA), []byte("\n"), []byte(bundle))
	}
	return material
}

// files writes the files.
func (n *nodeTLS) files() tlsPaths {
	paths, err := n.store.Write(n.material)
	written := tlsPaths{Paths: paths, own: map[string]string{}, err: err}
	for _, bundle := range n.own {
		paths, err := n.store.Write(tlsfiles.Material{CA: n.trusting(bundle).CA})
		written.own[bundle] = paths.CA
		written.err = errors.Join(written.err, err)
	}
	return written
}

func asksForCertificate(configuration *configv1alpha1.NodeConfiguration) bool {
	for _, hub := range configuration.Hubs {
		if hub.ClientCertificate {
			return true
		}
	}
	return false
}

func same(a, b tlsfiles.Material) bool {
	return bytes.Equal(a.CA, b.CA) && bytes.Equal(a.Certificate, b.Certificate) && bytes.Equal(a.Key, b.Key)
}

// pair reads the nodes' client certificate and its key. What is no pair, such as half of one that is being replaced,
// leaves the one before.
func (n *nodeTLS) pair() (certificate, key []byte) {
	if n.directory == "" {
		return nil, nil
	}
	certificate, err := os.ReadFile(filepath.Join(n.directory, corev1.TLSCertKey))
	key, keyErr := os.ReadFile(filepath.Join(n.directory, corev1.TLSPrivateKeyKey))
	if err = errors.Join(err, keyErr); err == nil {
		_, err = tls.X509KeyPair(certificate, key)
	}
	if err != nil {
		n.log.V(1).Info("The nodes' client certificate cannot be used", "directory", n.directory, "error", err.Error())
		return n.material.Certificate, n.material.Key
	}
	return certificate, key
}

// tlsConfig calls hubs with this material, as containerd does.
func tlsConfig(material tlsfiles.Material) (*tls.Config, error) {
	var roots *x509.CertPool
	if len(material.CA) > 0 {
		roots = x509.NewCertPool()
		roots.AppendCertsFromPEM(material.CA)
	}
	if len(material.Certificate) == 0 {
		return probe.TLS(roots), nil
	}
	pair, err := tls.X509KeyPair(material.Certificate, material.Key)
	if err != nil {
		return nil, fmt.Errorf("reading the nodes' client certificate: %w", err)
	}
	return probe.TLS(roots, pair), nil
}

// config is what the prober asks a hub with.
func (n *nodeTLS) config(target probe.Target) (*tls.Config, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	asked := n.asked[n.own[target.Hub]]
	return asked.config, asked.err
}

// mirror is a hub as containerd is to ask it.
func (t tlsPaths) mirror(hub configv1alpha1.NodeHub) (hoststoml.Mirror, error) {
	mirror := hoststoml.Mirror{URL: hub.Endpoint, DialTimeout: hub.DialTimeout.Duration}
	switch {
	case !strings.HasPrefix(hub.Endpoint, "https:"):
		return mirror, nil
	case t.err != nil:
		return mirror, t.err
	case hub.ClientCertificate && t.Certificate == "":
		return mirror, errNoClientCertificate
	}
	mirror.CA = t.CA
	if hub.CABundle != "" {
		mirror.CA = t.own[hub.CABundle]
	}
	if hub.ClientCertificate {
		mirror.ClientCertificate, mirror.ClientKey = t.Certificate, t.Key
	}
	return mirror, nil
}

// sweep removes TLS files that nothing names any more. A host with other files than are wanted now, be it that they could
// not be written or that its hub is not known yet, may name older ones, and keeps all of them.
func (n *nodeTLS) sweep(wanted, inForce map[string]certsd.Files, failed map[string]error) {
	if len(failed) > 0 || !maps.EqualFunc(inForce, restrict(wanted, inForce), sameFiles) {
		return
	}
	if err := n.store.Sweep(); err != nil {
		n.log.V(1).Info("Old TLS files could not be removed; trying again", "error", err.Error())
	}
}

func restrict(wanted, to map[string]certsd.Files) map[string]certsd.Files {
	restricted := make(map[string]certsd.Files, len(to))
	for host := range to {
		restricted[host] = wanted[host]
	}
	return restricted
}

func sameFiles(a, b certsd.Files) bool { return maps.EqualFunc(a, b, bytes.Equal) }
