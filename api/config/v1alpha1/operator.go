package v1alpha1

import (
	"errors"
	"fmt"
	"path"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"
)

// KindOperatorConfiguration is the kind of the manager's file.
const KindOperatorConfiguration = "OperatorConfiguration"

// OperatorConfiguration is what concerns the operator and all nodes, whatever the hubs.
//
// Example:
//
//	apiVersion: config.registryhub.io/v1alpha1
//	kind: OperatorConfiguration
//	nodeAgent:
//	  certsDirectory: /etc/containerd/certs.d
//
// +kubebuilder:object:root=true
type OperatorConfiguration struct {
	metav1.TypeMeta `json:",inline"`

	// Image of the proxies and the node agent. Default: the image of the manager's own Deployment.
	Image string `json:"image,omitempty"`

	// ImagePullSecrets are the names of Secrets in Namespace by which nodes pull Image, for the Pods of the agents, the proxies
	// and remedies. Default: those of the manager's own Deployment, where Image is left out too.
	ImagePullSecrets []string `json:"imagePullSecrets,omitempty"`

	// Namespace that the manager runs in, where it makes everything and reads Secrets. Default:
	// registryhub-system.
	Namespace string `json:"namespace,omitempty"`

	// NodeAgent concerns every node.
	NodeAgent NodeAgentConfiguration `json:"nodeAgent,omitempty"`

	// Certificates concerns TLS between nodes and hubs.
	Certificates CertificatesConfiguration `json:"certificates,omitempty"`

	// NodeGracePeriod is how long a node that has just become Ready, or whose agent has just started, is not
	// counted, so that a roll-out does not flap status. Default: 60s.
	NodeGracePeriod *metav1.Duration `json:"nodeGracePeriod,omitempty"`

	// WithdrawTimeout is how long a deleted hub waits for Ready nodes that still report it, from when the manager that leads
	// first saw it deleted. Default: 5m.
	WithdrawTimeout *metav1.Duration `json:"withdrawTimeout,omitempty"`

	// EndpointOverlap is how long a hub that has moved, as to another scheme, is served where it was, once nodes are told of
	// the move; longer, by up to withdrawTimeout, while Ready nodes have not reported it. Pulls that began there can end in
	// it. Default: 10m.
	EndpointOverlap *metav1.Duration `json:"endpointOverlap,omitempty"`

	// StartupTaint has the manager take the taint registryhub.io/not-wired off nodes that are wired. It needs the
	// rights in config/startup-taint. Default: nodes' taints are left alone.
	StartupTaint *StartupTaintConfiguration `json:"startupTaint,omitempty"`

	// Remedy says what is done about a node whose containerd is configured to read no hosts.toml files. Anything but
	// Report needs the rights in config/remedies, and runs Jobs that are root on the nodes. Default: Report.
	Remedy RemedyMode `json:"remedy,omitempty"`
}

// StartupTaintConfiguration is of nodes that register with the taint registryhub.io/not-wired:NoSchedule.
type StartupTaintConfiguration struct {
	// Timeout is when a node is freed in any case, counted from when it registered. Default: 5m.
	Timeout *metav1.Duration `json:"timeout,omitempty"`
}

// NodeAgentConfiguration concerns every node.
type NodeAgentConfiguration struct {
	// CertsDirectory is containerd's config_path on the nodes. An absolute path. Default:
	// /etc/containerd/certs.d.
	CertsDirectory string `json:"certsDirectory,omitempty"`

	// RunDirectory is the agent's own directory on the nodes, on a file system that a reboot empties. An
	// absolute path. Default: /run/registryhub.
	RunDirectory string `json:"runDirectory,omitempty"`

	// Canary says how nodes prove that their runtimes pull through the hubs.
	Canary CanaryConfiguration `json:"canary,omitempty"`

	// MetricsAddress is where each agent serves /metrics, in the network of its node: host:port, such as 127.0.0.1:20255, or
	// :20255 for every address of the node. Whoever reaches it reads names of hubs, and is not asked who it is. Default: nowhere.
	MetricsAddress string `json:"metricsAddress,omitempty"`
}

// Default fills in what was left out.
func (c *OperatorConfiguration) Default() {
	setDefault(&c.Namespace, "registryhub-system")
	setDefault(&c.NodeAgent.CertsDirectory, "/etc/containerd/certs.d")
	setDefault(&c.NodeAgent.RunDirectory, "/run/registryhub")
	setDefault(&c.Remedy, RemedyModeReport)
	c.Certificates.setDefaults()
	c.NodeAgent.Canary.setDefaults()
	setDefaultDuration(&c.NodeGracePeriod, 60*time.Second)
	setDefaultDuration(&c.WithdrawTimeout, 5*time.Minute)
	setDefaultDuration(&c.EndpointOverlap, 10*time.Minute)
	if c.StartupTaint != nil {
		setDefaultDuration(&c.StartupTaint.Timeout, 5*time.Minute)
	}
}

// Validate says everything that is wrong with the file, each error with the field's name.
func (c *OperatorConfiguration) Validate() error {
	return errors.Join(
		validateNames("imagePullSecrets", c.ImagePullSecrets),
		validateDirectory("nodeAgent.certsDirectory", c.NodeAgent.CertsDirectory),
		validateDirectory("nodeAgent.runDirectory", c.NodeAgent.RunDirectory),
		c.Certificates.validate("certificates"),
		c.NodeAgent.Canary.validate("nodeAgent.canary"),
		validateMetricsAddress("nodeAgent.metricsAddress", c.NodeAgent.MetricsAddress),
		validateNotNegative("nodeGracePeriod", c.NodeGracePeriod),
		validateNotNegative("withdrawTimeout", c.WithdrawTimeout),
		validateNotNegative("endpointOverlap", c.EndpointOverlap),
		c.StartupTaint.validate("startupTaint"),
		c.Remedy.validate("remedy", c.NodeAgent),
	)
}

func (c *StartupTaintConfiguration) validate(field string) error {
	if c == nil {
		return nil
	}
	return validateNotNegative(field+".timeout", c.Timeout)
}

func validateDirectory(field, value string) error {
	if !path.IsAbs(value) || path.Clean(value) != value || value == "/" {
		return fmt.Errorf("%s: %q is not a clean absolute path below /, such as /etc/containerd/certs.d", field, value)
	}
	return nil
}

func validateNames(field string, names []string) error {
	for _, name := range names {
		if problems := validation.IsDNS1123Subdomain(name); len(problems) > 0 {
			return fmt.Errorf("%s: %q is no name of an object: %s", field, name, problems[0])
		}
	}
	return nil
}

func validateNotNegative(field string, value *metav1.Duration) error {
	if value != nil && value.Duration < 0 {
		return fmt.Errorf("%s: %s is negative", field, value.Duration)
	}
	return nil
}
