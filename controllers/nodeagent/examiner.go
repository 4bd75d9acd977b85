package nodeagent

import (
	"context"
	"fmt"
	"io/fs"
	"time"

	configv1alpha1 "github.com/registryhub/registryhub/api/config/v1alpha1"
	"github.com/registryhub/registryhub/api/v1alpha1"
	"github.com/registryhub/registryhub/controllers/nodeagent/cri"
	"github.com/registryhub/registryhub/controllers/nodeagent/doctor"
	"github.com/registryhub/registryhub/controllers/nodeagent/proof"
	"github.com/registryhub/registryhub/controllers/nodeagent/runtime"
)

// examiner finds out why the node's runtime did not get a canary.
type examiner struct {
	// host is the node's root, as far as the agent has it.
	host   fs.FS
	layout configv1alpha1.RuntimeLayout
	// certs is the directory that the hosts are written to.
	certs   string
	runtime interface {
		Version(ctx context.Context) (cri.Version, error)
	}
}

// explain names the likeliest cause in the runtime's configuration, which no waiting changes. Without one, the error is all
// there is to tell.
func (e examiner) explain(ctx context.Context, target proof.Target, err error) proof.Failure {
	if findings := doctor.Examine(e.look(ctx)); len(findings) > 0 {
		// A runtime that cannot be asked may be about to start.
		unknown := findings[0].Reason == v1alpha1.NodeReasonRuntimeUnknown
		return proof.Failure{Reason: findings[0].Reason, Message: findings[0].Message, MayPass: unknown}
	}
	return proof.Failure{MayPass: true, Reason: v1alpha1.NodeReasonCanaryFailed, Message: fmt.Sprintf("%s is not pulled through its hub, though the runtime's configuration lets it: %v. "+
		"See that the runtime can reach the hub as the agent can (an HTTP proxy in its environment needs the hub's address in NO_PROXY), and what its log says", target.Host, err)}
}

// lookTimeout bounds a look that somebody waits for.
const lookTimeout = time.Second

func (e examiner) lookSoon() doctor.Node {
	ctx, cancel := context.WithTimeout(context.Background(), lookTimeout)
	defer cancel()
	return e.look(ctx)
}

// look gathers what is known of the node.
func (e examiner) look(ctx context.Context) doctor.Node {
	node := doctor.Node{CertsDirectory: e.certs, Started: startOf(e.host, e.layout.Socket), Source: e.layout.Source}
	version, err := e.runtime.Version(ctx)
	if err != nil {
		node.Unknown = err
		return node
	}
	node.Runtime, node.Version = version.Runtime, version.Version
	release, err := runtime.ParseRelease(version.Version)
	if err == nil {
		node.Config, err = runtime.Read(e.host, e.layout.ConfigFiles, release)
	}
	node.Unknown = err
	return node
}
