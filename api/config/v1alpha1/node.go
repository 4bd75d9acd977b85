package v1alpha1

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// KindNodeConfiguration is the kind of the nodes' file.
const KindNodeConfiguration = "NodeConfiguration"

// NodeConfiguration is what every node's agent is to bring about: one file for the whole cluster, changed only
// when the wiring of nodes changes.
//
// Example:
//
//	apiVersion: config.registryhub.io/v1alpha1
//	kind: NodeConfiguration
//	revision: 12
//	hubs:
//	- name: docker-io
//	  uid: 4b3f8c1e-7a52-4d0e-9a57-2f8d7e1d6a11
//	  revision: 9
//	  hosts: [docker.io]
//	  endpoint: https://10.96.31.7:5000
//	  dialTimeout: 1s
//
// +kubebuilder:object:root=true
type NodeConfiguration struct {
	metav1.TypeMeta `json:",inline"`

	// Revision grows with every change of the rest. An agent reports the revision that is in force.
	Revision int64 `json:"revision"`

	// ProbeInterval is how often each node asks each hub whether it answers: a hub is asked as many times in it as there are
	// nodes that it selects. From 1s to 1m. Default: 2s.
	ProbeInterval *metav1.Duration `json:"probeInterval,omitempty"`

	// CABundle holds PEM certificates, one of which has signed the certificate of every hub with an https endpoint that has
	// none of its own. It is one for all hubs, so that the file stays small. Default: none, and the node's own roots count.
	CABundle string `json:"caBundle,omitempty"`

	// Hubs, the oldest first: where two that select a node claim one host, the first has it.
	Hubs []NodeHub `json:"hubs,omitempty"`
}

// NodeHub is how nodes reach one hub.
type NodeHub struct {
	// Name of the hub.
	Name string `json:"name"`

	// UID of the hub, which tells it from an earlier one of the same name.
	UID string `json:"uid"`

	// Revision at which this entry last changed: a node that reports it, or a later one, has this wiring in
	// force.
	Revision int64 `json:"revision"`

	// Hosts that lead to the hub. At least one. "*" is every host that a node has no other wiring for.
	Hosts []string `json:"hosts"`

	// AllowedHosts are the hosts that the host "*" may stand for, as in a mirror's allowedHosts. Required with "*", and not
	// allowed without it. A node sends the hub whatever it has no other wiring for; it needs them to say which pulls pass by
	// the hub.
	AllowedHosts []string `json:"allowedHosts,omitempty"`

	// Endpoint is the URL of the hub's registry API, without a path. An IPv6 address stands in brackets.
	Endpoint string `json:"endpoint"`

	// ClientCertificate is true when the hub lets in only who shows the nodes' client certificate. Needs an https
	// endpoint. Default: false.
	ClientCertificate bool `json:"clientCertificate,omitempty"`

	// CABundle holds PEM certificates that nodes trust for this hub alone, beside those of the configuration: of who issues
	// the hub's certificate in the operator's place. Needs an https endpoint. At most 32 KiB. Default: none.
	CABundle string `json:"caBundle,omitempty"`

	// CABundleRevision is the revision at which caBundle last changed, which is no change of the wiring: a node that reports
	// it, or a later one, trusts what it says now. Default: 0, and it never changed.
	CABundleRevision int64 `json:"caBundleRevision,omitempty"`

	// DialTimeout is containerd's dial_timeout for the hub. Default: 1s.
	DialTimeout *metav1.Duration `json:"dialTimeout,omitempty"`

	// Selector chooses nodes by their labels. Default: every node.
	Selector *metav1.LabelSelector `json:"selector,omitempty"`

	// Fallback is what becomes of pulls while the hub does not answer: Upstream or None. Default: Upstream. It is not
	// filled in, so that what was written without it stays the same.
	Fallback NodeFallback `json:"fallback,omitempty"`

	// AdoptForeign is true when what somebody else wrote for a host is to stand behind the hub, instead of keeping the hub
	// from the node. Default: false.
	AdoptForeign bool `json:"adoptForeign,omitempty"`
}

// NodeFallback is what becomes of a node's pulls while a hub does not answer.
type NodeFallback string

// What a NodeFallback can be.
const (
	// NodeFallbackUpstream: they go to the upstream. A hub that does not answer is withdrawn from the node.
	NodeFallbackUpstream NodeFallback = "Upstream"
	// NodeFallbackNone: they fail, since there is no upstream that could be asked. The hub stays on the node.
	NodeFallbackNone NodeFallback = "None"
)

// Stays says whether the hub stays on a node that it does not answer.
func (h NodeHub) Stays() bool { return h.Fallback == NodeFallbackNone }

const shortestProbeInterval, longestProbeInterval = time.Second, time.Minute

// Default fills in what was left out.
func (c *NodeConfiguration) Default() {
	setDefaultDuration(&c.ProbeInterval, 2*time.Second)
	for i := range c.Hubs {
		setDefaultDuration(&c.Hubs[i].DialTimeout, time.Second)
	}
}

// Validate says everything that is wrong with the file, each error with the field's name.
func (c *NodeConfiguration) Validate() error {
	errs := []error{validateBundle("caBundle", c.CABundle)}
	if i := c.ProbeInterval; i != nil && (i.Duration < shortestProbeInterval || i.Duration > longestProbeInterval) {
		errs = append(errs, fmt.Errorf("probeInterval: %s is not from %s to %s", i.Duration, shortestProbeInterval, longestProbeInterval))
	}
	for i, hub := range c.Hubs {
		errs = append(errs, hub.validate(fmt.Sprintf("hubs[%d]", i)))
	}
	return errors.Join(errs...)
}

func (h NodeHub) validate(field string) error {
	var errs []error
	if h.Name == "" {
		errs = append(errs, fmt.Errorf("%s.name: required", field))
	}
	if len(h.Hosts) == 0 {
		errs = append(errs, fmt.Errorf("%s.hosts: required", field))
	}
	errs = append(errs, h.validateHosts(field))
	if _, err := metav1.LabelSelectorAsSelector(h.Selector); err != nil {
		errs = append(errs, fmt.Errorf("%s.selector: %w", field, err))
	}
	errs = append(errs, validateEndpoint(field+".endpoint", h.Endpoint))
	if h.ClientCertificate && !strings.HasPrefix(h.Endpoint, "https:") {
		errs = append(errs, fmt.Errorf("%s.clientCertificate: %s cannot ask for one: it needs https", field, h.Endpoint))
	}
	errs = append(errs, h.validateBundle(field))
	switch h.Fallback {
	case "", NodeFallbackUpstream, NodeFallbackNone:
	default:
		errs = append(errs, fmt.Errorf("%s.fallback: %q is not %s or %s", field, h.Fallback, NodeFallbackUpstream, NodeFallbackNone))
	}
	if h.DialTimeout != nil && h.DialTimeout.Duration <= 0 {
		errs = append(errs, fmt.Errorf("%s.dialTimeout: %s is not positive", field, h.DialTimeout.Duration))
	}
	return errors.Join(errs...)
}

func (h NodeHub) validateHosts(field string) error {
	var errs []error
	for i, host := range h.Hosts {
		if host != AnyHost {
			errs = append(errs, ValidateHost(fmt.Sprintf("%s.hosts[%d]", field, i), host))
		}
	}
	errs = append(errs, validateAllowed(field+".allowedHosts", h.StandsForAny(), h.AllowedHosts))
	if h.StandsForAny() && h.Stays() {
		errs = append(errs, fmt.Errorf("%s.fallback: cannot be %s beside the host %q: what the hub may not stand for would have nowhere to come from", field, NodeFallbackNone, AnyHost))
	}
	if h.StandsForAny() && h.AdoptForeign {
		errs = append(errs, fmt.Errorf("%s.adoptForeign: cannot stand beside the host %q: nothing is adopted for it", field, AnyHost))
	}
	return errors.Join(errs...)
}

// StandsForAny says whether the host "*" leads to the hub.
func (h NodeHub) StandsForAny() bool { return slices.Contains(h.Hosts, AnyHost) }

// validateEndpoint refuses a path, to which containerd would append its own.
func validateEndpoint(field, value string) error {
	if err := ValidateUpstreamURL(field, value); err != nil {
		return err
	}
	if u, err := url.Parse(value); err != nil || u.Path != "" {
		return fmt.Errorf("%s: %q must not have a path", field, value)
	}
	return nil
}
