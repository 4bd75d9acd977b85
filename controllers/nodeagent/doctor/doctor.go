// Package doctor says why a node's runtime does not pull through hubs whose hosts.toml files are in their place, and what
// to do about it. It is pure: what is known of the node comes in as a value.
package doctor

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/registryhub/registryhub/api/v1alpha1"
	"github.com/registryhub/registryhub/controllers/nodeagent/runtime"
)

// Node is what is known of a node.
type Node struct {
	// CertsDirectory is where the hosts.toml files are.
	CertsDirectory string
	// Runtime is the name and the version of the runtime, as the CRI tells them; empty when it cannot be asked.
	Runtime, Version string
	// Started is when the runtime did; zero when that is not known.
	Started time.Time
	// Config is what the runtime's files say.
	Config runtime.Config
	// Source is what a person changes to change the files; "": the files.
	Source string
	// Unknown is why one of the above could not be found out.
	Unknown error
}

// Finding is something about a node that keeps pulls from its hubs.
type Finding struct {
	// Reason is one of v1alpha1's NodeReason constants.
	Reason string
	// Message says what is the matter and what to do about it.
	Message string
	// Conclusive says that pulls pass by the hubs whatever else is so. What is not explains at most why they do.
	Conclusive bool
}

// containerd is its name in the CRI.
const containerd = "containerd"

// Examine says what is wrong with a node, the likeliest cause of trouble first. Nothing: its runtime reads the files as it
// should.
func Examine(n Node) []Finding {
	if unknown := n.unknown(); unknown != nil {
		return []Finding{*unknown}
	}
	pending := n.restartPending()
	var all []Finding
	for _, look := range []func() *Finding{n.legacyMirrors, n.configPath, n.multiRoot} {
		if found := look(); found != nil {
			found.Conclusive = pending == nil // the runtime may not have read the file that says so
			all = append(all, *found)
		}
	}
	if pending != nil {
		all = append(all, *pending)
	}
	return all
}

func (n Node) unknown() *Finding {
	switch {
	case n.Unknown != nil:
		return &Finding{Reason: v1alpha1.NodeReasonRuntimeUnknown, Message: fmt.Sprintf("what the node's runtime is configured to do could not be found out: %v. "+
			"The agent looks where nodeAgent.certsDirectory of the OperatorConfiguration says that the runtime is at home", n.Unknown)}
	case n.Runtime != containerd:
		return &Finding{Reason: v1alpha1.NodeReasonRuntimeUnknown, Message: fmt.Sprintf("the node's runtime is %.64q, which does not read hosts.toml files: "+
			"nodes with containerd alone can pull through a hub. Leave this one out with spec.nodes.selector", n.Runtime)}
	}
	return nil
}

func (n Node) legacyMirrors() *Finding {
	if !n.Config.Mirrors {
		return nil
	}
	return &Finding{Reason: v1alpha1.NodeReasonLegacyMirrorsPresent, Message: fmt.Sprintf("containerd is configured with the legacy registry.mirrors, beside which it reads no hosts.toml file. "+
		"Take them out of %s, set registry.config_path to %q, and restart containerd", n.files(), n.CertsDirectory)}
}

func (n Node) configPath() *Finding {
	roots := n.Config.Roots()
	switch {
	case n.Config.Mirrors || slices.Contains(roots, n.CertsDirectory):
		return nil
	case len(roots) == 0:
		return &Finding{Reason: v1alpha1.NodeReasonConfigPathUnset, Message: fmt.Sprintf("containerd has no registry.config_path, so it reads no hosts.toml file. "+
			"%sSet it to %q in %s, in the table %s, and restart containerd", n.tlsFirst(), n.CertsDirectory, n.files(), n.table())}
	}
	return &Finding{Reason: v1alpha1.NodeReasonConfigPathUnset, Message: fmt.Sprintf("containerd's registry.config_path is %q, and the hubs are written to %q. "+
		"Set nodeAgent.certsDirectory of the OperatorConfiguration to that directory, or config_path in %s to this one, and restart containerd",
		n.Config.ConfigPath, n.CertsDirectory, n.files())}
}

func (n Node) multiRoot() *Finding {
	if n.Config.LocalPull || len(n.Config.Roots()) < 2 {
		return nil
	}
	return &Finding{Reason: v1alpha1.NodeReasonTransferServiceMultiRoot, Message: fmt.Sprintf("containerd's registry.config_path is the list %q, "+
		"which its transfer service takes for one directory, so that every hosts.toml file is ignored (containerd issue 12415). "+
		"Set it to %q alone in %s, or use_local_image_pull = true in the table [plugins.\"io.containerd.cri.v1.images\"], and restart containerd",
		n.Config.ConfigPath, n.CertsDirectory, n.files())}
}

func (n Node) restartPending() *Finding {
	if n.Started.IsZero() || !n.Config.Changed.After(n.Started) {
		return nil
	}
	return &Finding{Reason: v1alpha1.NodeReasonRestartPending, Message: n.read() + " was changed after containerd started, which reads it at its start alone. Restart containerd"}
}

// files names where a person has something to change.
func (n Node) files() string {
	if n.Source != "" {
		return n.Source
	}
	if len(n.Config.Files) == 0 {
		return "containerd's configuration file, which is not there yet,"
	}
	return n.read()
}

// read names the files that containerd reads.
func (n Node) read() string {
	const most = 4
	named := n.Config.Files[:min(len(n.Config.Files), most)]
	return strings.Join(named, " or ")
}

// tlsFirst warns of what would keep containerd's CRI plug-in from starting with a config_path.
func (n Node) tlsFirst() string {
	if !n.Config.ClientTLS || n.isRelease2() {
		return ""
	}
	return "Put the TLS settings of registry.configs, beside which containerd 1.x does not start with a config_path, into hosts.toml files and take them out. "
}

// table is where the release at hand has what it says of registries.
func (n Node) table() string {
	if n.isRelease2() {
		return `[plugins."io.containerd.cri.v1.images".registry]`
	}
	return `[plugins."io.containerd.grpc.v1.cri".registry]`
}

// isRelease2 says whether it is 2.0 or later, as is supposed of one that cannot be told.
func (n Node) isRelease2() bool {
	release, err := runtime.ParseRelease(n.Version)
	return err != nil || release.AtLeast(2, 0)
}
