package gitops

import (
	"errors"
	"path/filepath"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Judges are the tools with what the project ships for them.
type Judges struct {
	argoCD *ArgoCD
	flux   *Flux
}

// ReadJudges reads what is shipped, below the repository's root.
func ReadJudges(root string) (*Judges, error) {
	argoCD, errArgoCD := ReadArgoCD(filepath.Join(root, "config", "argocd", "argocd-cm.yaml"))
	flux, errFlux := ReadFlux(filepath.Join(root, "config", "flux", "hubs.yaml"))
	return &Judges{argoCD: argoCD, flux: flux}, errors.Join(errArgoCD, errFlux)
}

// Of says what each tool makes of an object, and what Argo CD says beside it.
func (j *Judges) Of(object *unstructured.Unstructured) (verdicts Verdicts, message string, err error) {
	computed, err := status.Compute(object)
	if err != nil {
		return verdicts, "", err
	}
	verdicts.Kstatus = string(computed.Status)
	var errArgoCD, errFlux error
	verdicts.ArgoCD, message, errArgoCD = j.argoCD.Health(object.Object)
	verdicts.Flux, errFlux = j.flux.Status(object.Object)
	return verdicts, message, errors.Join(errArgoCD, errFlux)
}
