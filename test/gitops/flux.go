package gitops

import (
	"fmt"
	"os"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/ext"
	"sigs.k8s.io/yaml"
)

// Flux judges with the expressions that are shipped for it, in the order of its RFC 0009
// (https://github.com/fluxcd/flux2/tree/main/rfcs/0009-custom-health-checks).
type Flux struct{ inProgress, failed, current cel.Program }

// healthCheckExpr is an entry of a Flux Kustomization's healthCheckExprs.
type healthCheckExpr struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	InProgress string `json:"inProgress"`
	Failed     string `json:"failed"`
	Current    string `json:"current"`
}

// ReadFlux reads the expressions for hubs out of a manifest of a Flux Kustomization.
func ReadFlux(path string) (*Flux, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var manifest struct {
		Spec struct {
			HealthCheckExprs []healthCheckExpr `json:"healthCheckExprs"`
		} `json:"spec"`
	}
	if err := yaml.Unmarshal(data, &manifest); err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	for _, each := range manifest.Spec.HealthCheckExprs {
		if each.APIVersion == "registryhub.io/v1alpha1" && each.Kind == "RegistryHub" {
			return compile(each)
		}
	}
	return nil, fmt.Errorf("%s has no expressions for RegistryHubs", path)
}

func compile(text healthCheckExpr) (*Flux, error) {
	environment, err := cel.NewEnv(cel.HomogeneousAggregateLiterals(), cel.EagerlyValidateDeclarations(true), cel.DefaultUTCTimeZone(true),
		cel.CrossTypeNumericComparisons(true), cel.OptionalTypes(), ext.Strings(), ext.Sets(), ext.Encoders())
	if err != nil {
		return nil, err
	}
	var programs []cel.Program
	for _, expression := range []string{text.InProgress, text.Failed, text.Current} {
		parsed, issues := environment.Parse(expression) // Flux has no types to check against either.
		if issues.Err() != nil {
			return nil, fmt.Errorf("compiling %q for Flux: %w", expression, issues.Err())
		}
		program, err := environment.Program(parsed)
		if err != nil {
			return nil, fmt.Errorf("compiling %q for Flux: %w", expression, err)
		}
		programs = append(programs, program)
	}
	return &Flux{inProgress: programs[0], failed: programs[1], current: programs[2]}, nil
}

// Status is InProgress, Failed or Current, as Flux waits for it.
func (f *Flux) Status(object map[string]any) (string, error) {
	for _, each := range []struct {
		program cel.Program
		status  string
	}{{f.inProgress, "InProgress"}, {f.failed, "Failed"}, {f.current, "Current"}} {
		result, _, err := each.program.Eval(object)
		if err != nil {
			return "", fmt.Errorf("evaluating an expression for Flux: %w", err)
		}
		if result.Value() == true {
			return each.status, nil
		}
	}
	return "InProgress", nil
}
