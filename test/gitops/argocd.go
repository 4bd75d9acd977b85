// Package gitops makes of a hub's status what GitOps tools make of it, with what the project ships for them: the script for
// Argo CD in a Lua interpreter, the expressions for Flux in a CEL interpreter, kstatus as its library has it, and the table
// of the docs that tells people.
package gitops

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"

	lua "github.com/yuin/gopher-lua"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

// argoCDKey is where Argo CD looks for a script: https://argo-cd.readthedocs.io/en/stable/operator-manual/health/
const argoCDKey = "resource.customizations.health.registryhub.io_RegistryHub"

// ArgoCD judges with the script that is shipped for it.
type ArgoCD struct{ script string }

// ReadArgoCD reads the script out of a manifest of the ConfigMap argocd-cm.
func ReadArgoCD(path string) (*ArgoCD, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var manifest corev1.ConfigMap
	if err := yaml.UnmarshalStrict(data, &manifest); err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	script, there := manifest.Data[argoCDKey]
	if !there {
		return nil, fmt.Errorf("%s has no key %s", path, argoCDKey)
	}
	return &ArgoCD{script: script}, nil
}

// Health is the status and the message that Argo CD shows. The script runs as there: without libraries but the basic ones, the
// object as the global obj.
func (a *ArgoCD) Health(object map[string]any) (status, message string, err error) {
	state := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer state.Close()
	lua.OpenBase(state)
	lua.OpenTable(state)
	lua.OpenString(state)
	value, err := luaOf(state, object)
	if err != nil {
		return "", "", err
	}
	state.SetGlobal("obj", value)
	if err := state.DoString(a.script); err != nil {
		return "", "", fmt.Errorf("running the script for Argo CD: %w", err)
	}
	health, isTable := state.Get(-1).(*lua.LTable)
	if !isTable {
		return "", "", errors.New("the script for Argo CD returns no table")
	}
	return health.RawGetString("status").String(), health.RawGetString("message").String(), nil
}

// luaOf goes by JSON, as the object does on its way to Argo CD.
func luaOf(state *lua.LState, object map[string]any) (lua.LValue, error) {
	data, err := json.Marshal(object)
	if err != nil {
		return nil, err
	}
	var plain any
	if err := json.Unmarshal(data, &plain); err != nil {
		return nil, err
	}
	return luaValue(state, plain), nil
}

func luaValue(state *lua.LState, value any) lua.LValue {
	switch v := value.(type) {
	case bool:
		return lua.LBool(v)
	case float64:
		return lua.LNumber(v)
	case string:
		return lua.LString(v)
	case []any:
		list := state.CreateTable(len(v), 0)
		for _, each := range v {
			list.Append(luaValue(state, each))
		}
		return list
	case map[string]any:
		table := state.CreateTable(0, len(v))
		for key, each := range v {
			table.RawSetString(key, luaValue(state, each))
		}
		return table
	}
	return lua.LNil
}
